// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: bytes as whatever the engine answers. All that reads answers reads them; a
 * fleet that comes of it must be one that guests can be placed on.
 */
#include <stdlib.h>
#include <string.h>

#include "colorsched/core/choice.h"
#include "colorsched/engine/answers.h"
#include "colorsched/engine/names.h"
#include "colorsched/engine/placement.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void place(SchedAnswer *answer)
{
	g_autoptr(DaxcRequest) request =
		daxc_request_new("1b4e28ba-2fa1-41d2-883f-0016d3cca427", "a", "a");
	SchedWant want = {.request = request, .tenant = SCHED_ASKER};
	g_auto(SchedPlacement) placement = {0};

	g_ptr_array_add(request->cells, daxc_cell_request_new(0, 3 * DAXC_GRANULE_MAX));
	if (!sched_choose(answer->fleet, &want, &placement))
		return;
	for (guint32 i = 0; i < sched_placement_part(&placement, 0)->choice.n; i++) {
		const SchedPart *part = sched_placement_part(&placement, 0);
		const char *leaf = sched_answer_leaf(answer, placement.host, part->zone,
						     part->choice.color[i]);

		if (!leaf || !g_uuid_string_is_valid(leaf))
			abort();
	}
	sched_hold(answer->fleet, &placement, SCHED_ASKER);
}

static void read_small(JsonNode *node)
{
	g_auto(SchedInventory) inventory = {0};
	g_autoptr(GHashTable) allocation = sched_allocation_read(node);
	g_autoptr(GPtrArray) uuids = sched_providers_read(node, "uuid");
	g_autoptr(GPtrArray)
		parents = sched_providers_read(node, "parent_provider_uuid?");
	g_autoptr(GPtrArray) names = sched_providers_read(node, "name");
	g_autofree char *tenant = NULL;
	guint64 number;
	guint32 used;

	if (sched_inventory_read(node, &inventory))
		tenant = sched_engine_tenant(inventory.class);
	if (tenant && !daxc_tenant_check(tenant, NULL))
		abort();
	sched_usage_read(node, SCHED_CLASS, &used);
	sched_traits_read(node, SCHED_TRAIT_COLOR, &number);
	sched_answer_has_candidates(node);
}

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_autoptr(GPtrArray)
		answers = g_ptr_array_new_with_free_func((GDestroyNotify)json_node_unref);
	JsonNode *node = sched_json_parse(text, strlen(text));
	g_autoptr(SchedAnswer) answer = NULL;

	if (!node)
		return 0;
	g_ptr_array_add(answers, node);
	read_small(node);
	answer = sched_answer_read(answers, SCHED_CLASS_TENANT "A");
	if (answer)
		place(answer);
	return 0;
}
