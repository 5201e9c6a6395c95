// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: what is measured and not controlled.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "dax_color.h"

static struct dentry *dc_debugfs;

static int faults_show(struct seq_file *file, void *unused)
{
	struct dc_instance *instance = file->private;

	seq_printf(file, "%lu %lld\n", PAGE_SIZE, atomic64_read(&instance->faults[DC_FAULT_4K]));
	seq_printf(file, "%lu %lld\n", PMD_SIZE, atomic64_read(&instance->faults[DC_FAULT_2M]));
	seq_printf(file, "%lu %lld\n", PUD_SIZE, atomic64_read(&instance->faults[DC_FAULT_1G]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(faults);

void dc_debugfs_instance(struct dc_instance *instance)
{
	instance->debugfs = debugfs_create_dir(dev_name(&instance->dev), dc_debugfs);
	debugfs_create_file("faults", 0400, instance->debugfs, instance, &faults_fops);
}

void dc_debugfs_init(void)
{
	dc_debugfs = debugfs_create_dir("dax_color", NULL);
}

void dc_debugfs_exit(void)
{
	debugfs_remove(dc_debugfs);
}
