// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which granules a request gets.
 */
#include <daxcolor/plan.h>
