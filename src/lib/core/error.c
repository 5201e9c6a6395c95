// SPDX-License-Identifier: LGPL-2.1-or-later
#include <daxcolor/error.h>

/* Its hyphens are no minus signs. */
/* clang-format off */
G_DEFINE_QUARK(daxc-error-quark, daxc_error)
