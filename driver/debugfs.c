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

static const char *dc_state_name(enum dcs_state state)
{
	static const char *const names[] = {
		[DCS_DIRTY] = "dirty",
		[DCS_CLEAN] = "clean",
		[DCS_PREPARING] = "preparing",
		[DCS_HELD] = "held",
		[DCS_QUARANTINED] = "quarantined",
		[DCS_ZEROING] = "zeroing",
		[DCS_BAD] = "bad",
	};

	return names[state];
}

static int space_show(struct seq_file *file, void *unused)
{
	struct dc_region *region = file->private;
	u32 i;

	mutex_lock(&region->lock);
	for (i = 0; i < region->space.nr; i++) {
		const struct dcs_piece *piece = &region->space.pieces[i];
		const struct dc_instance *holder = piece->holder;

		seq_printf(file, "%#llx-%#llx %s", piece->start, piece->end - 1,
			   dc_state_name(piece->state));
		if (holder)
			seq_printf(file, " %s", dev_name(&holder->dev));
		seq_putc(file, '\n');
	}
	mutex_unlock(&region->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(space);

void dc_debugfs_instance(struct dc_instance *instance)
{
	instance->debugfs = debugfs_create_dir(dev_name(&instance->dev), dc_debugfs);
	debugfs_create_file("faults", 0400, instance->debugfs, instance, &faults_fops);
}

void dc_debugfs_region(struct dc_region *region)
{
	char name[24];

	snprintf(name, sizeof(name), "region%d", region->id);
	region->debugfs = debugfs_create_dir(name, dc_debugfs);
	debugfs_create_file("space", 0400, region->debugfs, region, &space_fops);
}

void dc_debugfs_init(void)
{
	dc_debugfs = debugfs_create_dir("dax_color", NULL);
}

void dc_debugfs_exit(void)
{
	debugfs_remove(dc_debugfs);
}
