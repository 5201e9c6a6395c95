/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the hook leaves for the launcher in the domain's memory directory, the
 * one place of the host that a confined QEMU of this domain can read: a device
 * node for each cell, and a key file that says what they are.
 *
 *   [cell 0]
 *   node=daxcolor.cell0
 *   instance=dax0.1
 *   size=2147483648
 *   align=1073741824
 */
#pragma once

#include <daxcolor/host.h>

/* The key file. */
#define HANDOVER_FILE "daxcolor.carvings"
/* Its group for a cell, and the device node's name; both take the cell's id. */
#define HANDOVER_GROUP "cell %u"
#define HANDOVER_NODE DAXC_NODE_PREFIX "%u"

#define HANDOVER_KEY_NODE "node"
#define HANDOVER_KEY_INSTANCE "instance"
#define HANDOVER_KEY_SIZE "size"   /* bytes */
#define HANDOVER_KEY_ALIGN "align" /* bytes, mapping size of the instance */
