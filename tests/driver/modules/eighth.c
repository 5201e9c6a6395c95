// SPDX-License-Identifier: GPL-2.0
/*
 * A plug-in for tests: every eighth page is persistent, and holds a word that says so
 * in each of its words. What is to go wrong is said by /sys/module/eighth/
 * parameters/fail: format, probe, start or cleanup; `command` takes orders:
 *
 *	check		EIO: what is in a persistent page is not what was put there
 *	fill N		puts something else there
 *	alloc N		N pages more, as many as there are
 *	free		all of those
 *	unregister	EBUSY: in use
 *	register
 *	callback 1|0	takes the callback of pages that come online, and gives it back
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "persist.h"

#define EIGHTH 8

static char fail[16];
module_param_string(fail, fail, sizeof(fail), 0644);

/* How often each was called, and how many pages `alloc` got. */
static unsigned int formats, probes, starts, cleanups, removes, allocated;
module_param(formats, uint, 0444);
module_param(probes, uint, 0444);
module_param(starts, uint, 0444);
module_param(cleanups, uint, 0444);
module_param(removes, uint, 0444);
module_param(allocated, uint, 0444);

static struct dax_color_persist *attached;
static u64 *more;
static u64 seed = 1;
static bool registered, have_callback;

static bool fails(const char *what)
{
	return sysfs_streq(fail, what);
}

static u64 word_of(u64 index)
{
	return index * 0x9e3779b97f4a7c15ULL + seed;
}

static void put_words(struct dax_color_persist *persist, u64 index, u64 word)
{
	u64 *words = dax_color_persist_address(persist, index);
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		words[i] = word;
}

static bool has_words(struct dax_color_persist *persist, u64 index, u64 word)
{
	const u64 *words = dax_color_persist_address(persist, index);
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / sizeof(*words); i++) {
		if (words[i] != word)
			return false;
	}
	return true;
}

static void fill_all(struct dax_color_persist *persist)
{
	u64 i;

	for (i = EIGHTH; i < dax_color_persist_pages(persist); i += EIGHTH)
		put_words(persist, i, word_of(i));
}

static int check_all(struct dax_color_persist *persist)
{
	u64 i;

	for (i = EIGHTH; i < dax_color_persist_pages(persist); i += EIGHTH) {
		if (!has_words(persist, i, word_of(i))) {
			pr_info("eighth: page %llu is not what it was\n", i);
			return -EIO;
		}
	}
	for (i = 0; i < allocated; i++) {
		if (!has_words(persist, more[i], word_of(more[i])))
			return -EIO;
	}
	return 0;
}

static void free_more(struct dax_color_persist *persist)
{
	while (allocated)
		dax_color_persist_free(persist, more[--allocated], 1);
}

static int alloc_more(struct dax_color_persist *persist, unsigned long nr)
{
	int err = 0;

	free_more(persist);
	kvfree(more);
	more = kvcalloc(nr, sizeof(*more), GFP_KERNEL);
	if (!more)
		return -ENOMEM;
	while (!err && allocated < nr) {
		err = dax_color_persist_alloc(persist, &more[allocated]);
		if (err)
			break;
		/* Of zeros, and nobody else's. */
		if (!has_words(persist, more[allocated], 0) ||
		    more[allocated] % EIGHTH == 0)
			err = -EIO;
		put_words(persist, more[allocated], word_of(more[allocated]));
		allocated++;
	}
	return err;
}

static int eighth_format(struct dax_color_persist *persist)
{
	formats++;
	if (fails("format"))
		return -EIO;
	fill_all(persist);
	return 0;
}

static int eighth_probe(struct dax_color_persist *persist)
{
	u64 i, pages = dax_color_persist_pages(persist);
	int err;

	probes++;
	if (fails("probe"))
		return -EIO;
	err = check_all(persist);
	if (err)
		return err;
	for (i = EIGHTH; i < pages; i += EIGHTH)
		dax_color_persist_mark(persist, i, 1);
	/* The one way and the other. */
	dax_color_persist_free(persist, 1, EIGHTH - 1);
	dax_color_persist_free_unmarked(persist);
	return 0;
}

static int eighth_start(struct dax_color_persist *persist)
{
	starts++;
	if (fails("start"))
		return -EIO;
	attached = persist;
	return 0;
}

static int eighth_cleanup(struct dax_color_persist *persist)
{
	u64 index;

	cleanups++;
	if (fails("cleanup"))
		return -EBUSY;
	/* Nothing can be allocated any more. */
	if (dax_color_persist_alloc(persist, &index) != -ESHUTDOWN)
		return -EIO;
	free_more(persist);
	attached = NULL;
	return 0;
}

static void eighth_remove(struct dax_color_persist *persist)
{
	removes++;
}

static const struct dax_color_persist_ops eighth_ops = {
	.format = eighth_format,
	.probe = eighth_probe,
	.start = eighth_start,
	.cleanup = eighth_cleanup,
	.remove = eighth_remove,
};

static struct dax_color_persist_type eighth = {
	.name = "eighth",
	.version = 1,
	.owner = THIS_MODULE,
	.ops = &eighth_ops,
};

static int set_registered(bool wanted)
{
	int err = wanted ? dax_color_persist_register(&eighth)
			 : dax_color_persist_unregister(&eighth);

	if (!err)
		registered = wanted;
	return err;
}

/* As others do, who leave the rest of the pages to the kernel. */
static void online_all(struct page *page, unsigned int order)
{
	generic_online_page(page, order);
}

static int set_callback(bool wanted)
{
	int err = wanted ? set_online_page_callback(online_all)
			 : restore_online_page_callback(online_all);

	if (!err)
		have_callback = wanted;
	return err;
}

static int obey(const char *order, unsigned long number)
{
	if (!strcmp(order, "register") || !strcmp(order, "unregister"))
		return set_registered(*order == 'r');
	if (!strcmp(order, "callback"))
		return set_callback(number);
	if (!attached)
		return -ENODEV;
	if (!strcmp(order, "check"))
		return check_all(attached);
	if (!strcmp(order, "alloc"))
		return alloc_more(attached, number);
	if (!strcmp(order, "free")) {
		free_more(attached);
		return 0;
	}
	if (strcmp(order, "fill"))
		return -EINVAL;
	seed = number;
	fill_all(attached);
	return 0;
}

static int command_set(const char *value, const struct kernel_param *parameter)
{
	char order[16];
	unsigned long number = 0;

	if (sscanf(value, "%15s %lu", order, &number) < 1)
		return -EINVAL;
	return obey(order, number);
}

static const struct kernel_param_ops command_ops = {
	.set = command_set,
};
module_param_cb(command, &command_ops, NULL, 0200);

static int __init eighth_init(void)
{
	return set_registered(true);
}

static void __exit eighth_exit(void)
{
	if (have_callback)
		set_callback(false);
	if (registered)
		set_registered(false);
	kvfree(more);
}

module_init(eighth_init);
module_exit(eighth_exit);
MODULE_AUTHOR("The daxcolor authors");
MODULE_DESCRIPTION("Tests of dax_color: every eighth page is persistent");
MODULE_LICENSE("GPL");
