// SPDX-License-Identifier: GPL-2.0
/*
 * A module that claims instances, for tests: while it is loaded they are its own.
 *
 *	insmod dax_color_claimant.ko names=dax0.1,dax0.2 [shared=1] [uuid=UUID]
 *	cat /sys/module/dax_color_claimant/parameters/{failures,offset,idles}
 *	echo dax0.1 > /sys/module/dax_color_claimant/parameters/watch
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#include "claim.h"

#define MOST_NAMES 8

static char *names[MOST_NAMES];
static int nr_names;
module_param_array(names, charp, &nr_names, 0444);
MODULE_PARM_DESC(names, "instances to claim");

static bool shared;
module_param(shared, bool, 0444);
MODULE_PARM_DESC(shared, "others may open them");

static char *uuid = "cccccccc-cccc-4ccc-8ccc-cccccccccccc";
module_param(uuid, charp, 0444);
MODULE_PARM_DESC(uuid, "of the claimant");

static unsigned int failures;
module_param(failures, uint, 0444);
MODULE_PARM_DESC(failures, "how often memory has failed");

static unsigned long offset;
module_param(offset, ulong, 0444);
MODULE_PARM_DESC(offset, "where it did last");

static unsigned int idles;
module_param(idles, uint, 0444);
MODULE_PARM_DESC(idles, "how often nobody had a page pinned");

static void claimant_failed(struct dax_color_claimant *claimant, const char *instance,
			    u64 where)
{
	pr_info("claimant: %s failed at %llu\n", instance, where);
	offset = where;
	failures++;
}

static void claimant_idle(struct dax_color_claimant *claimant, const char *instance)
{
	pr_info("claimant: %s is idle\n", instance);
	idles++;
}

static const struct dax_color_claimant_ops claimant_ops = {
	.failed = claimant_failed,
	.idle = claimant_idle,
};

static struct dax_color_claimant claimant = {
	.ops = &claimant_ops,
};

static int watch_set(const char *value, const struct kernel_param *param)
{
	char name[32];

	if (strscpy(name, value, sizeof(name)) < 0)
		return -EINVAL;
	return dax_color_notify_idle(&claimant, strim(name));
}

static const struct kernel_param_ops watch_ops = {
	.set = watch_set,
};
module_param_cb(watch, &watch_ops, NULL, 0200);
MODULE_PARM_DESC(watch, "an instance that it wants to know idle");

static int __init claimant_init(void)
{
	int err = uuid_parse(uuid, &claimant.uuid);

	return err ? err
		   : dax_color_claim(&claimant, (const char *const *)names, nr_names,
				     shared);
}

static void __exit claimant_exit(void)
{
	int err = dax_color_release(&claimant, (const char *const *)names, nr_names);

	/* Somebody may have taken the instances from us both. */
	WARN_ON(err && err != -ENODEV);
}

module_init(claimant_init);
module_exit(claimant_exit);
MODULE_AUTHOR("The daxcolor authors");
MODULE_DESCRIPTION("Claims instances of dax_color, for its tests");
MODULE_LICENSE("GPL");
