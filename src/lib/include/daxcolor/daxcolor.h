/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daxcolor: guest memory on cache colors of its own. All of the public API. */
#pragma once

#include <daxcolor/audit.h>
#include <daxcolor/doctor.h>
#include <daxcolor/domain-xml.h>
#include <daxcolor/error.h>
#include <daxcolor/geometry.h>
#include <daxcolor/host.h>
#include <daxcolor/lend.h>
#include <daxcolor/plan.h>
#include <daxcolor/request.h>
#include <daxcolor/size.h>
