/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine answers, made sense of. Pure, and suspicious: what does not make sense
 * is left out or refused, never believed.
 */
#pragma once

#include "colorsched/core/fleet.h"
#include "colorsched/engine/http.h"

G_BEGIN_DECLS

/* Zones of a host and colors of a zone that are read at most. */
#define SCHED_ANSWER_ZONES 64u
#define SCHED_ANSWER_COLORS 65536u

/**
 * SchedAnswer: hosts, read from the provider_summaries of allocation candidates.
 * @fleet: those that make sense; its tenants are numbers
 * @tenant: the tenant that was asked for; other tenants all are SCHED_OTHERS
 * @roots: (element-type utf8): UUID of each host
 * @leaves: (element-type utf8): UUID of each color's provider, by sched_answer_leaf()
 */
#define SCHED_ASKER 1u
#define SCHED_OTHERS 2u
typedef struct {
	SchedFleet *fleet;
	GPtrArray *roots;
	GHashTable *leaves;
} SchedAnswer;

void sched_answer_free(SchedAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedAnswer, sched_answer_free)

/**
 * sched_answer_read:
 * @summaries: (element-type JsonNode): answers to candidate queries; NULL is none
 * @class: class of the asker's colors
 *
 * Returns: (nullable): NULL when there is no host that makes sense.
 */
SchedAnswer *sched_answer_read(GPtrArray *answers, const char *class);

/* Returns: (transfer none): UUID of a color's provider. */
const char *sched_answer_leaf(const SchedAnswer *answer, guint host, guint zone,
			      guint32 color);

/* What an inventory says: exactly one class. */
typedef struct {
	guint64 generation;
	char *class;
	guint32 total;
} SchedInventory;

static inline void sched_inventory_clear(SchedInventory *inventory)
{
	g_clear_pointer(&inventory->class, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SchedInventory, sched_inventory_clear)

/* Returns: FALSE when the answer is anything else. */
gboolean sched_inventory_read(JsonNode *answer, SchedInventory *inventory);

/* Whether a provider has any of @class, and its generation. FALSE when the answer makes
 * no sense. */
gboolean sched_inventory_has(JsonNode *answer, const char *class, gboolean *has,
			     guint64 *generation);

/* Whether there are candidates in an answer to a candidate query. */
gboolean sched_answer_has_candidates(JsonNode *answer);

/* Returns: (transfer full): what a consumer has: class by UUID of a color's provider,
 * or of a host for a spread group; NULL when it makes no sense. */
GHashTable *sched_allocation_read(JsonNode *answer);

/* Returns: (transfer full) (element-type utf8): @member ("uuid", "name",
 * "root_provider_uuid") of each of the resource_providers; NULL when it makes no
 * sense. With "?" at its end it may be null, which is "". */
GPtrArray *sched_providers_read(JsonNode *answer, const char *member);

/* What a provider has of @class in use; 0 when that is not in the answer. */
gboolean sched_usage_read(JsonNode *answer, const char *class, guint32 *used);

/* Returns: (transfer full) (element-type utf8): names of all resource_classes; NULL when
 * it makes no sense. */
GPtrArray *sched_classes_read(JsonNode *answer);

/* Consumers of a project, of whatever type, and what they have of @class. */
gboolean sched_project_read(JsonNode *answer, const char *class, guint64 *consumers,
			    guint64 *used);

/* The number behind the trait that begins with @prefix. */
gboolean sched_traits_read(JsonNode *answer, const char *prefix, guint64 *number);

/* Members of a JSON object that may be anything; NULL, or FALSE, when it is not that. */
JsonObject *sched_json_object(JsonObject *object, const char *member);
const char *sched_json_text(JsonObject *object, const char *member);
gboolean sched_json_count(JsonObject *object, const char *member, guint64 max,
			  guint64 *count);

G_END_DECLS
