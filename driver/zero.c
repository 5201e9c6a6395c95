// SPDX-License-Identifier: GPL-2.0
/*
 * Writing zeros, by several CPUs at once and past their caches.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/uio.h>

#include "dax_color.h"

/* What one CPU does before it looks whether it is to stop. */
#define DC_SLICE	SZ_2M
/* More CPUs than this write no faster. */
#define DC_MOST_THREADS	8U

static unsigned int zero_threads;
module_param(zero_threads, uint, 0644);
MODULE_PARM_DESC(zero_threads, "CPUs that zero memory at once (0: those of its node, at most 8)");

static struct workqueue_struct *dc_zero_wq;

/**
 * struct dc_zeroing - one call of dc_zero()
 * @ranges: what to write
 * @slices: of DC_SLICE, in all ranges together
 * @next: the slice that is taken next
 * @stop: stop early when true
 * @left: may be NULL; bytes to go
 * @caller: its death stops the work, too
 * @stopped: it did
 */
struct dc_zeroing {
	const struct dcs_ranges *ranges;
	u64 slices;
	atomic64_t next;
	const bool *stop;
	atomic64_t *left;
	struct task_struct *caller;
	bool stopped;
};

struct dc_zero_worker {
	struct work_struct work;
	struct dc_zeroing *zeroing;
};

static bool dc_zero_should_stop(const struct dc_zeroing *zeroing)
{
	return READ_ONCE(*zeroing->stop) || fatal_signal_pending(zeroing->caller);
}

static u64 dc_zero_address(const struct dcs_ranges *ranges, u64 slice)
{
	u64 offset = slice * DC_SLICE;
	const struct dcs_range *range = ranges->list;

	while (offset >= range->size)
		offset -= range++->size;
	return range->start + offset;
}

/* Not memset(): that would bring all of it through the cache. */
static void dc_zero_slice(u64 address)
{
	void *to = __va(address);
	unsigned int done;

	for (done = 0; done < DC_SLICE; done += PAGE_SIZE)
		memcpy_flushcache(to + done, page_address(ZERO_PAGE(0)), PAGE_SIZE);
}

static void dc_zero_slices(struct dc_zeroing *zeroing)
{
	u64 slice;

	while ((slice = atomic64_fetch_inc(&zeroing->next)) < zeroing->slices) {
		if (dc_zero_should_stop(zeroing)) {
			WRITE_ONCE(zeroing->stopped, true);
			break;
		}
		dc_zero_slice(dc_zero_address(zeroing->ranges, slice));
		if (zeroing->left)
			atomic64_sub(DC_SLICE, zeroing->left);
		cond_resched();
	}
	/* The stores went around the cache: they are in order for nobody yet. */
	wmb();
}

static void dc_zero_work(struct work_struct *work)
{
	dc_zero_slices(container_of(work, struct dc_zero_worker, work)->zeroing);
}

/* How many workers help the caller. */
static unsigned int dc_zero_helpers(int node, u64 slices)
{
	unsigned int threads = READ_ONCE(zero_threads);

	if (!threads && node >= 0 && node < MAX_NUMNODES && node_online(node))
		threads = min(DC_MOST_THREADS, cpumask_weight(cpumask_of_node(node)));
	/* Memory of a node without CPUs, as it is behind most of these caches. */
	if (!threads)
		threads = min(DC_MOST_THREADS, num_online_cpus());
	return min_t(u64, min(threads, num_online_cpus()), slices) - 1;
}

int dc_zero(int node, const struct dcs_ranges *ranges, const bool *stop, atomic64_t *left)
{
	struct dc_zeroing zeroing = {
		.ranges = ranges,
		.slices = ranges->size / DC_SLICE,
		.stop = stop,
		.left = left,
		.caller = current,
	};
	struct dc_zero_worker *workers;
	unsigned int helpers, i;

	if (!zeroing.slices)
		return 0;
	atomic64_set(&zeroing.next, 0);
	helpers = dc_zero_helpers(node, zeroing.slices);
	workers = kcalloc(helpers, sizeof(*workers), GFP_KERNEL);
	/* Without them it takes longer, and that is all. */
	if (!workers)
		helpers = 0;
	for (i = 0; i < helpers; i++) {
		workers[i].zeroing = &zeroing;
		INIT_WORK(&workers[i].work, dc_zero_work);
		queue_work_node(node, dc_zero_wq, &workers[i].work);
	}
	dc_zero_slices(&zeroing);
	for (i = 0; i < helpers; i++)
		flush_work(&workers[i].work);
	kfree(workers);
	return zeroing.stopped ? -EINTR : 0;
}

int dc_zero_init(void)
{
	dc_zero_wq = alloc_workqueue("dax_color_zero", WQ_UNBOUND, 0);
	return dc_zero_wq ? 0 : -ENOMEM;
}

void dc_zero_exit(void)
{
	destroy_workqueue(dc_zero_wq);
}
