// SPDX-License-Identifier: GPL-2.0-or-later
/* HTTP by libcurl. */
#include "http.h"

#include <string.h>

#include <curl/curl.h>
#include <daxcolor/error.h>

#include "adapters/file.h"

#define MICROVERSION "placement 1.39"
#define ANSWER_MAX ((gsize)64 << 20)
#define TOKEN_FILE_MAX ((gsize)64 << 10)
#define TRIES 4u
/* Milliseconds before the second try; doubled for each one after it. */
#define PAUSE 100u
#define CONNECT_TIMEOUT 10L

struct SchedHttp {
	CURL *curl;
	char *url;
	char *token_file;
	char *token_command;
	char *token;
	GString *answer;
	gboolean too_long;
	guint64 requests;
};

static gboolean fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean fail(GError **error, const char *format, ...)
{
	g_autofree char *why = NULL;
	va_list arguments;

	va_start(arguments, format);
	why = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_set_error_literal(error, DAXC_ERROR, DAXC_ERROR_FAILED, why);
	return FALSE;
}

static size_t receive(char *data, size_t size, size_t n, void *user)
{
	SchedHttp *http = user;

	if (http->answer->len + size * n > ANSWER_MAX) {
		http->too_long = TRUE;
		return 0;
	}
	g_string_append_len(http->answer, data, (gssize)(size * n));
	return size * n;
}

/* Tokens. What they say is never part of a message. */

static char *run_command(const char *command, GError **error)
{
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	g_autofree char *output = NULL;
	g_autoptr(GError) cause = NULL;
	int status;

	if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output,
			  NULL, &status, &cause) ||
	    !g_spawn_check_wait_status(status, &cause)) {
		/* A password may stand in the command. */
		fail(error, "cannot get a token by the command: %s", cause->message);
		return NULL;
	}
	return g_steal_pointer(&output);
}

static char *read_token(const SchedHttp *http, GError **error)
{
	char *text = NULL;
	gsize length;

	if (http->token_command)
		text = run_command(http->token_command, error);
	else if (http->token_file)
		daxc_file_read(http->token_file, TOKEN_FILE_MAX, &text, &length, error);
	else
		text = g_strdup("");
	if (text)
		text[strcspn(text, "\r\n")] = '\0';
	return text;
}

static gboolean renew_token(SchedHttp *http, GError **error)
{
	char *token = read_token(http, error);

	if (!token)
		return FALSE;
	g_free(http->token);
	http->token = token;
	return TRUE;
}

/* The URL is part of messages, so that nothing secret may be in it; nor is it named here.
 */
static gboolean check_url(const char *url, GError **error)
{
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);

	if (!uri || !g_uri_get_host(uri) ||
	    (strcmp(g_uri_get_scheme(uri), "http") != 0 &&
	     strcmp(g_uri_get_scheme(uri), "https") != 0)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the engine's URL is like https://HOST:PORT");
		return FALSE;
	}
	if (!g_uri_get_userinfo(uri) && !g_uri_get_query(uri) && !g_uri_get_fragment(uri))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "no user, password or query is in the engine's URL: what it trusts "
		    "is a token");
	return FALSE;
}

SchedHttp *sched_http_new(const SchedHttpOptions *options, GError **error)
{
	g_autoptr(SchedHttp) http = NULL;

	if (!check_url(options->url, error))
		return NULL;
	http = g_new0(SchedHttp, 1);
	http->url = g_strdup(options->url);
	while (g_str_has_suffix(http->url, "/"))
		http->url[strlen(http->url) - 1] = '\0';
	http->token_file = g_strdup(options->token_file);
	http->token_command = g_strdup(options->token_command);
	http->answer = g_string_new(NULL);
	http->curl = curl_easy_init();
	if (!http->curl) {
		fail(error, "libcurl does not start");
		return NULL;
	}
	curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, http);
	curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT);
	curl_easy_setopt(http->curl, CURLOPT_TIMEOUT, (long)options->timeout);
	if (options->ca_file)
		curl_easy_setopt(http->curl, CURLOPT_CAINFO, options->ca_file);
	if (!renew_token(http, error))
		return NULL;
	return g_steal_pointer(&http);
}

void sched_http_free(SchedHttp *http)
{
	if (!http)
		return;
	g_clear_pointer(&http->curl, curl_easy_cleanup);
	g_free(http->url);
	g_free(http->token_file);
	g_free(http->token_command);
	g_free(http->token);
	g_string_free(http->answer, TRUE);
	g_free(http);
}

guint64 sched_http_requests(const SchedHttp *http)
{
	return http->requests;
}

static struct curl_slist *make_headers(const SchedHttp *http)
{
	g_autofree char *token = g_strdup_printf("X-Auth-Token: %s", http->token);
	struct curl_slist *headers = NULL;

	headers = curl_slist_append(headers, "Content-Type: application/json");
	headers = curl_slist_append(headers, "OpenStack-API-Version: " MICROVERSION);
	if (*http->token != '\0')
		headers = curl_slist_append(headers, token);
	return headers;
}

/* Returns: the status, or 0 when there was no answer. */
static guint try_once(SchedHttp *http, const char *method, const char *path,
		      const char *body, GError **error)
{
	g_autofree char *url = g_strconcat(http->url, path, NULL);
	struct curl_slist *headers = make_headers(http);
	long status = 0;
	CURLcode code;

	http->requests++;
	http->too_long = FALSE;
	g_string_truncate(http->answer, 0);
	curl_easy_setopt(http->curl, CURLOPT_URL, url);
	curl_easy_setopt(http->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(http->curl, CURLOPT_POST, body ? 1L : 0L);
	curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, body);
	if (!body)
		curl_easy_setopt(http->curl, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(http->curl, CURLOPT_CUSTOMREQUEST, method);
	code = curl_easy_perform(http->curl);
	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (http->too_long)
		fail(error, "%s: the answer to %s %s is longer than 64 MiB", http->url,
		     method, path);
	else if (code != CURLE_OK)
		fail(error, "%s: %s", http->url, curl_easy_strerror(code));
	return code == CURLE_OK && status > 0 ? (guint)status : 0;
}

/* Clients that lost against each other do not meet again at once. */
static void pause_before(guint try)
{
	guint longest = PAUSE << try;

	g_usleep(1000 * (gulong)g_random_int_range((gint)longest / 2, (gint)longest));
}

guint sched_http_call(SchedHttp *http, const char *method, const char *path,
		      JsonNode *body, JsonNode **answer, GError **error)
{
	g_autofree char *text = body ? json_to_string(body, FALSE) : NULL;
	gboolean renewed = FALSE;
	guint status = 0;

	*answer = NULL;
	for (guint try = 0; try < TRIES; try++) {
		g_clear_error(error);
		if (try > 0)
			pause_before(try - 1);
		status = try_once(http, method, path, text, error);
		if (status == 401 && !renewed) {
			if (!renew_token(http, error))
				return 0;
			renewed = TRUE;
			continue;
		}
		if (status > 0 && status < 500)
			break;
	}
	if (status == 0)
		return 0;
	if (status == 401 || status == 403 || status >= 500) {
		g_clear_error(error);
		fail(error, "%s: %s %s: the server says %u%s", http->url, method, path,
		     status, status < 500 ? ": is the token good?" : "");
		return 0;
	}
	*answer = sched_json_parse(http->answer->str, http->answer->len);
	return status;
}
