// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One pass over the trace. All policies are asked at each arrival, and told at each
 * departure, so that they see the same guests at the same time. What is not there any
 * more is not remembered.
 */
#include "simulate.h"

#include <string.h>

#include "conflict.h"

/* Guests that come or go between two looks at all of them, as a part of those that are
 * there: so looking costs each event the same, however many guests there are. */
#define LOOK_PART 4
#define PROGRESS_EVENTS 65536u

/**
 * Live: a guest that is there, as far as the trace is concerned.
 * @group: (nullable): interned
 * @stay: for each policy: NULL when it was refused
 */
typedef struct {
	guint32 tenant;
	guint64 size;
	char *group;
	SchedStay *stay[SCHED_POLICIES_MAX];
} Live;

/* When a live guest leaves. */
typedef struct {
	double end;
	guint32 slot;
} Leaving;

/* A tenant that has live guests. */
typedef struct {
	guint32 id;
	guint64 guests;
} Tenant;

/**
 * Player: one policy.
 * @groups: (element-type GHashTable of guests by host): hosts of each spread group
 * @used: bytes that guests asked for and have; @used_time, ...: times seconds
 * @free_sum: part of the fleet that was free, at each refusal
 */
typedef struct {
	const SchedPolicy *policy;
	SchedFleet *fleet;
	gpointer self;
	GHashTable *groups;
	SchedMeter *meter;
	guint64 used;
	double used_time;
	double held_time;
	double idle_time;
	guint64 idle_most;
	guint64 admitted;
	guint64 refused;
	double free_sum;
} Player;

/**
 * Run:
 * @slots: (element-type Live): guests; those of @spare are unused
 * @leaving: (element-type Leaving): a heap, who leaves first on top
 * @tenants: (element-type Tenant): by name
 * @tenant_names: name by id; @tenant_spare: ids that are free again
 * @since: events since the last look; @stride, @skipped: events between points of the
 *   plot, and since the last
 */
typedef struct {
	SchedReport *report;
	Player *players;
	guint n;
	GArray *slots;
	GArray *spare;
	GArray *leaving;
	GHashTable *tenants;
	GPtrArray *tenant_names;
	GArray *tenant_spare;
	GArray *placed;
	guint64 asked;
	double asked_time;
	double now;
	guint64 since;
	guint64 stride;
	guint64 skipped;
	void (*progress)(guint64 events);
} Run;

void sched_report_free(SchedReport *report)
{
	if (!report)
		return;
	g_array_unref(report->points);
	g_free(report);
}

/* Who leaves next. */

static Leaving *leaving_at(Run *run, guint at)
{
	return &g_array_index(run->leaving, Leaving, at);
}

/* Slots decide between guests that leave at the same time, so that a run is the same
 * each time. */
static gboolean leaves_before(const Leaving *one, const Leaving *other)
{
	return one->end != other->end ? one->end < other->end : one->slot < other->slot;
}

static void leaving_push(Run *run, Leaving leaving)
{
	guint at = run->leaving->len;

	g_array_append_val(run->leaving, leaving);
	while (at > 0 && leaves_before(&leaving, leaving_at(run, (at - 1) / 2))) {
		*leaving_at(run, at) = *leaving_at(run, (at - 1) / 2);
		at = (at - 1) / 2;
	}
	*leaving_at(run, at) = leaving;
}

static void leaving_pop(Run *run)
{
	guint n = run->leaving->len - 1, at = 0;
	Leaving last = *leaving_at(run, n);

	for (;;) {
		guint child = 2 * at + 1;

		if (child + 1 < n &&
		    leaves_before(leaving_at(run, child + 1), leaving_at(run, child)))
			child++;
		if (child >= n || !leaves_before(leaving_at(run, child), &last))
			break;
		*leaving_at(run, at) = *leaving_at(run, child);
		at = child;
	}
	*leaving_at(run, at) = last;
	g_array_set_size(run->leaving, n);
}

/* Tenants, by name as long as they have guests. */

static guint32 tenant_enter(Run *run, const char *name)
{
	Tenant *tenant = g_hash_table_lookup(run->tenants, name);
	char *copy;

	if (tenant) {
		tenant->guests++;
		return tenant->id;
	}
	tenant = g_new(Tenant, 1);
	tenant->guests = 1;
	copy = g_strdup(name);
	if (run->tenant_spare->len > 0) {
		guint last = run->tenant_spare->len - 1;

		tenant->id = g_array_index(run->tenant_spare, guint32, last);
		g_array_set_size(run->tenant_spare, last);
		run->tenant_names->pdata[tenant->id] = copy;
	} else {
		tenant->id = run->tenant_names->len;
		g_ptr_array_add(run->tenant_names, copy);
	}
	g_hash_table_insert(run->tenants, copy, tenant);
	return tenant->id;
}

static void tenant_leave(Run *run, guint32 id)
{
	Tenant *tenant = g_hash_table_lookup(run->tenants,
					     g_ptr_array_index(run->tenant_names, id));

	if (--tenant->guests > 0)
		return;
	g_hash_table_remove(run->tenants, g_ptr_array_index(run->tenant_names, id));
	g_array_append_val(run->tenant_spare, id);
}

/* Spread groups: hosts, each with its number of guests of the group. */

static guint host_of(const Player *player, const SchedStay *stay)
{
	guint host, zone;

	sched_fleet_find_unit(player->fleet, stay->unit, &host, &zone);
	return host;
}

static void group_enter(Player *player, const Live *live, const SchedStay *stay)
{
	GHashTable *hosts = g_hash_table_lookup(player->groups, live->group);

	if (!hosts) {
		hosts = g_hash_table_new(NULL, NULL);
		g_hash_table_insert(player->groups, g_strdup(live->group), hosts);
	}
	g_hash_table_add(hosts, GUINT_TO_POINTER(host_of(player, stay)));
}

static void group_leave(Player *player, const Live *live, const SchedStay *stay)
{
	GHashTable *hosts = g_hash_table_lookup(player->groups, live->group);

	g_hash_table_remove(hosts, GUINT_TO_POINTER(host_of(player, stay)));
	if (g_hash_table_size(hosts) == 0)
		g_hash_table_remove(player->groups, live->group);
}

/* Time. */

static void pass(Run *run, double until)
{
	double seconds = until - run->now;

	run->asked_time += (double)run->asked * seconds;
	for (guint i = 0; i < run->n; i++) {
		Player *player = &run->players[i];

		player->used_time += (double)player->used * seconds;
		player->held_time += (double)player->policy->held(player->self) * seconds;
		player->idle_time += (double)player->policy->idle(player->self) * seconds;
	}
	run->now = until;
}

/* Half of the points, twice as far apart, when there are too many. */
static void thin_out(Run *run)
{
	GArray *points = run->report->points;

	for (gsize i = 0; 2 * i < points->len; i++)
		g_array_index(points, SchedPoint, i) =
			g_array_index(points, SchedPoint, 2 * i);
	g_array_set_size(points, (points->len + 1) / 2);
	run->stride *= 2;
}

static void add_point(Run *run)
{
	SchedPoint point = {.time = run->now};

	if (run->report->points->len == SCHED_POINTS_MAX)
		thin_out(run);
	for (guint i = 0; i < run->n; i++) {
		Player *player = &run->players[i];

		point.used[i] = player->used;
		point.idle[i] = player->policy->idle(player->self);
	}
	g_array_append_val(run->report->points, point);
	run->skipped = 0;
}

static void look_at_player(Run *run, guint index)
{
	Player *player = &run->players[index];

	g_array_set_size(run->placed, 0);
	for (guint i = 0; i < run->leaving->len; i++) {
		const Live *live =
			&g_array_index(run->slots, Live, leaving_at(run, i)->slot);
		SchedPlaced placed = {live->tenant, live->stay[index]};

		if (placed.stay)
			g_array_append_val(run->placed, placed);
	}
	sched_meter_look(player->meter, player->policy, player->self,
			 (SchedPlaced *)(void *)run->placed->data, run->placed->len);
}

/* What is measured now and then, after each event. */
static void measure(Run *run)
{
	run->report->events++;
	for (guint i = 0; i < run->n; i++) {
		Player *player = &run->players[i];

		player->idle_most =
			MAX(player->idle_most, player->policy->idle(player->self));
	}
	if (++run->skipped >= run->stride)
		add_point(run);
	if (++run->since > run->leaving->len / LOOK_PART) {
		run->since = 0;
		for (guint i = 0; i < run->n; i++)
			look_at_player(run, i);
	}
	if (run->progress && run->report->events % PROGRESS_EVENTS == 0)
		run->progress(run->report->events);
}

/* Events. */

static void leave(Run *run)
{
	Leaving leaving = *leaving_at(run, 0);
	Live *live = &g_array_index(run->slots, Live, leaving.slot);

	pass(run, leaving.end);
	leaving_pop(run);
	for (guint i = 0; i < run->n; i++) {
		Player *player = &run->players[i];

		if (!live->stay[i])
			continue;
		player->used -= live->size;
		if (live->group)
			group_leave(player, live, live->stay[i]);
		player->policy->leave(player->self, live->stay[i], live->tenant,
				      leaving.slot + 1);
	}
	run->asked -= live->size;
	tenant_leave(run, live->tenant);
	g_clear_pointer(&live->group, g_free);
	g_array_append_val(run->spare, leaving.slot);
	measure(run);
}

static guint32 take_slot(Run *run)
{
	guint last = run->spare->len;
	guint32 slot;

	if (last == 0) {
		g_array_set_size(run->slots, run->slots->len + 1);
		return run->slots->len - 1;
	}
	slot = g_array_index(run->spare, guint32, last - 1);
	g_array_set_size(run->spare, last - 1);
	return slot;
}

static void arrive_at(Player *player, Live *live, guint index, SchedArrival *arrival)
{
	arrival->avoid = live->group ? g_hash_table_lookup(player->groups, live->group)
				     : NULL;
	live->stay[index] = player->policy->admit(player->self, arrival);
	if (!live->stay[index]) {
		player->refused++;
		player->free_sum += 1 - (double)player->policy->held(player->self) /
						(double)player->fleet->capacity;
		return;
	}
	if (live->group)
		group_enter(player, live, live->stay[index]);
	player->admitted++;
	player->used += live->size;
}

static void arrive(Run *run, const SchedGuest *guest)
{
	guint32 slot = take_slot(run);
	Live *live = &g_array_index(run->slots, Live, slot);
	SchedArrival arrival = {
		.tenant = tenant_enter(run, guest->tenant),
		.guest = slot + 1,
		.size = guest->size,
		.colors = guest->colors,
	};

	pass(run, guest->start);
	*live = (Live){
		.tenant = arrival.tenant,
		.size = guest->size,
		.group = g_strdup(guest->group),
	};
	for (guint i = 0; i < run->n; i++)
		arrive_at(&run->players[i], live, i, &arrival);
	run->asked += guest->size;
	leaving_push(run, (Leaving){guest->end, slot});
	run->report->guests++;
	run->report->live_most = MAX(run->report->live_most, run->leaving->len);
	measure(run);
}

static gboolean play(Run *run, SchedTrace *trace, GError **error)
{
	SchedTraceStatus status;
	SchedGuest guest;

	while ((status = sched_trace_next(trace, &guest, error)) == SCHED_TRACE_GUEST) {
		if (run->report->guests == 0)
			run->report->start = run->now = guest.start;
		while (run->leaving->len > 0 && leaving_at(run, 0)->end <= guest.start)
			leave(run);
		arrive(run, &guest);
	}
	run->report->end = run->now;
	return status == SCHED_TRACE_END;
}

/* Beginning and end. */

static void hosts_destroy(gpointer hosts)
{
	g_hash_table_unref(hosts);
}

static void player_init(Player *player, const SchedFleet *fleet,
			const SchedPolicy *policy, guint32 seed)
{
	player->policy = policy;
	player->fleet = sched_fleet_copy_empty(fleet);
	player->self = policy->make(player->fleet, seed);
	player->groups =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, hosts_destroy);
	player->meter = sched_meter_new(fleet);
}

static void player_clear(Player *player)
{
	sched_meter_free(player->meter);
	g_hash_table_unref(player->groups);
	player->policy->free(player->self);
	sched_fleet_free(player->fleet);
}

static void run_init(Run *run, SchedReport *report, guint n)
{
	*run = (Run){.report = report, .n = n, .stride = 1};
	run->players = g_new0(Player, n);
	run->slots = g_array_new(FALSE, TRUE, sizeof(Live));
	run->spare = g_array_new(FALSE, FALSE, sizeof(guint32));
	run->leaving = g_array_new(FALSE, FALSE, sizeof(Leaving));
	run->tenants = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	run->tenant_names = g_ptr_array_new();
	/* Number 0 is nobody. */
	g_ptr_array_add(run->tenant_names, NULL);
	run->tenant_spare = g_array_new(FALSE, FALSE, sizeof(guint32));
	run->placed = g_array_new(FALSE, FALSE, sizeof(SchedPlaced));
}

static void run_clear(Run *run)
{
	for (guint i = 0; i < run->leaving->len; i++) {
		Live *live = &g_array_index(run->slots, Live, leaving_at(run, i)->slot);

		g_free(live->group);
		for (guint k = 0; k < run->n; k++)
			g_free(live->stay[k]);
	}
	for (guint i = 0; i < run->n; i++)
		player_clear(&run->players[i]);
	g_free(run->players);
	g_array_unref(run->slots);
	g_array_unref(run->spare);
	g_array_unref(run->leaving);
	g_hash_table_unref(run->tenants);
	g_ptr_array_unref(run->tenant_names);
	g_array_unref(run->tenant_spare);
	g_array_unref(run->placed);
}

static void report_player(const Run *run, const Player *player, SchedResult *result)
{
	double seconds = run->report->end - run->report->start;

	result->policy = player->policy;
	result->admitted = player->admitted;
	result->idle_most = player->idle_most;
	if (player->refused > 0)
		result->free = player->free_sum / (double)player->refused;
	if (run->asked_time > 0)
		result->memory = player->used_time / run->asked_time;
	if (seconds > 0) {
		result->used = player->used_time / seconds;
		result->held = player->held_time / seconds;
		result->idle = player->idle_time / seconds;
	}
	sched_meter_read(player->meter, &result->conflict, &result->colors,
			 &result->colors_most);
}

static void report_run(Run *run)
{
	SchedReport *report = run->report;

	if (report->end > report->start)
		report->asked = run->asked_time / (report->end - report->start);
	report->n = run->n;
	for (guint i = 0; i < run->n; i++)
		report_player(run, &run->players[i], &report->result[i]);
	if (run->skipped > 0)
		add_point(run);
}

SchedReport *sched_simulate(const SchedFleet *fleet, SchedTrace *trace,
			    const SchedPolicy *const *policies, guint n, guint32 seed,
			    void (*progress)(guint64 events), GError **error)
{
	g_autoptr(SchedReport) report = g_new0(SchedReport, 1);
	gboolean done;
	Run run;

	g_return_val_if_fail(n <= SCHED_POLICIES_MAX, NULL);
	report->hosts = fleet->n_hosts;
	report->capacity = fleet->capacity;
	report->points = g_array_new(FALSE, FALSE, sizeof(SchedPoint));
	run_init(&run, report, n);
	run.progress = progress;
	for (guint i = 0; i < n; i++)
		player_init(&run.players[i], fleet, policies[i], seed);
	done = play(&run, trace, error);
	if (done)
		report_run(&run);
	run_clear(&run);
	return done ? g_steal_pointer(&report) : NULL;
}
