// SPDX-License-Identifier: GPL-2.0
/*
 * dax_color: loading and unloading.
 */
#include <linux/module.h>

#include "dax_color.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

struct dc_step {
	int (*init)(void);
	void (*exit)(void);
};

static int dc_debugfs_start(void)
{
	dc_debugfs_init();
	return 0;
}

static const struct dc_step dc_steps[] = {
	{ dc_zero_init, dc_zero_exit },
	{ dc_returns_init, dc_returns_exit },
	{ dc_inodes_init, dc_inodes_exit },
	{ dc_claims_init, dc_claims_exit },
	{ dc_instances_init, dc_instances_exit },
	{ dc_debugfs_start, dc_debugfs_exit },
	{ dc_region_driver_register, dc_region_driver_unregister },
};

static void dc_undo(unsigned int steps)
{
	while (steps--)
		dc_steps[steps].exit();
}

static int __init dc_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dc_steps); i++) {
		int err = dc_steps[i].init();

		if (err) {
			dc_undo(i);
			return err;
		}
	}
	return 0;
}

static void __exit dc_exit(void)
{
	dc_undo(ARRAY_SIZE(dc_steps));
}

module_init(dc_init);
module_exit(dc_exit);
MODULE_AUTHOR("The daxcolor authors");
MODULE_DESCRIPTION("device-dax instances by cache color");
MODULE_LICENSE("GPL");
MODULE_ALIAS("platform:dax_color");
