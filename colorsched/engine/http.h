/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON over HTTP, as OpenStack's services speak it. One connection, one request at a
 * time. Whoever answers is not trusted: answers are bounded in size, depth and time.
 */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/**
 * SchedHttpOptions:
 * @url: "http://HOST:PORT" or "https://...", with a path where there is one
 * @token_file: (nullable): its first line is the token; read again when it is refused
 * @token_command: (nullable): prints the token, run by the shell; the same
 * @ca_file: (nullable): certificates to trust instead of the system's
 * @timeout: seconds for one request
 */
typedef struct {
	const char *url;
	const char *token_file;
	const char *token_command;
	const char *ca_file;
	guint timeout;
} SchedHttpOptions;

typedef struct SchedHttp SchedHttp;

SchedHttp *sched_http_new(const SchedHttpOptions *options, GError **error);
void sched_http_free(SchedHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedHttp, sched_http_free)

/**
 * sched_http_call:
 * @path: from the URL on, with its query, escaped
 * @body: (nullable): sent as JSON
 * @answer: (out) (transfer full) (nullable): NULL when there is no body, or none that
 *   is JSON
 *
 * Tries again a few times, with pauses, when there is no answer or the server says that
 * it failed; so a request may have been carried out before. That is for the caller to
 * bear: requests are GET, DELETE, or PUT with a generation.
 *
 * Returns: the HTTP status, below 500; 0 on failure, with DAXC_ERROR_FAILED.
 */
guint sched_http_call(SchedHttp *http, const char *method, const char *path,
		      JsonNode *body, JsonNode **answer, GError **error);

/* Number of requests so far. */
guint64 sched_http_requests(const SchedHttp *http);

/* Reads a JSON object that came from outside. NULL when it is anything else, or nested
 * too deeply. */
JsonNode *sched_json_parse(const char *text, gsize length);

G_END_DECLS
