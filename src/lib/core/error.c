// SPDX-License-Identifier: LGPL-2.1-or-later
#include <daxcolor/error.h>

G_DEFINE_QUARK(daxc-error-quark, daxc_error)
