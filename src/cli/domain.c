// SPDX-License-Identifier: GPL-2.0-or-later
/* Changes a persistent domain through libvirt, after showing how. */
#define _GNU_SOURCE
#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libvirt.h"
#include "output.h"

/**
 * Session: one domain and what happens to it.
 * @before, @after: its XML, secrets included, since defining it without them
 *   would take them away
 * @diff: without secrets
 */
typedef struct {
	GVirConnection *connection;
	GVirDomain *domain;
	char *before;
	char *after;
	char *diff;
} Session;

static void session_clear(Session *session)
{
	g_clear_object(&session->domain);
	g_clear_object(&session->connection);
	g_free(session->before);
	g_free(session->after);
	g_free(session->diff);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Session, session_clear)

static gboolean find_domain(Session *session, const char *name, GError **error)
{
	session->domain = gvir_connection_find_domain_by_name(session->connection, name);
	if (!session->domain && g_uuid_string_is_valid(name))
		session->domain = gvir_connection_get_domain(session->connection, name);
	if (!session->domain) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
			    "libvirt has no domain of that name or UUID: see "
			    "`virsh list --all`");
		return FALSE;
	}
	if (gvir_domain_get_persistent(session->domain))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		    "the domain is transient: change the XML that it is created from");
	return FALSE;
}

/* As libvirt-glib writes it, so that only what differs in meaning differs. */
static char *normalize(const char *xml, GError **error)
{
	GVirConfigDomain *config = gvir_config_domain_new_from_xml(xml, error);
	char *text;

	if (!config)
		return NULL;
	text = gvir_config_object_to_xml(GVIR_CONFIG_OBJECT(config));
	g_object_unref(config);
	return text;
}

/* Passwords of consoles have no business on a terminal. */
static char *without_secrets(const char *xml)
{
	g_autoptr(GRegex)
		regex = g_regex_new("(\\bpasswd=)(\"[^\"]*\"|'[^']*')", 0, 0, NULL);

	return g_regex_replace(regex, xml, -1, 0, "\\1'...'", 0, NULL);
}

static int memory_file(const char *text)
{
	g_autofree char *safe = without_secrets(text);
	gsize length = strlen(safe), done = 0;
	int fd = memfd_create("domain", MFD_CLOEXEC);
	gboolean newline = length > 0 && safe[length - 1] == '\n';

	while (fd >= 0 && done < length) {
		ssize_t n = write(fd, safe + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (gsize)n;
	}
	if (fd >= 0 && (done < length || (!newline && write(fd, "\n", 1) != 1))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Returns: (transfer full): unified difference; empty when there is none. */
static char *difference(const char *before, const char *after, GError **error)
{
	g_autoptr(GSubprocessLauncher)
		launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
	int old = memory_file(before), new = memory_file(after);
	g_autoptr(GSubprocess) diff = NULL;
	char *text = NULL;

	if (old < 0 || new < 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot keep the XML in memory: %s", g_strerror(errno));
		return NULL;
	}
	g_subprocess_launcher_take_fd(launcher, old, 3);
	g_subprocess_launcher_take_fd(launcher, new, 4);
	diff = g_subprocess_launcher_spawn(launcher, error, "diff", "-u", "--label",
					   "now", "--label", "then", "/dev/fd/3",
					   "/dev/fd/4", NULL);
	if (!diff ||
	    !g_subprocess_communicate_utf8(diff, NULL, NULL, &text, NULL, error)) {
		g_prefix_error(error, "cannot show the difference: ");
		return NULL;
	}
	/* 0 the same, 1 different, else trouble that diff has told on stderr. */
	if (!g_subprocess_get_if_exited(diff) || g_subprocess_get_exit_status(diff) > 1) {
		g_free(text);
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot show the difference: diff failed");
		return NULL;
	}
	return text;
}

static void print_diff(const char *diff)
{
	g_auto(GStrv) lines = g_strsplit(diff, "\n", -1);

	for (guint i = 0; lines[i] && (lines[i][0] || lines[i + 1]); i++) {
		g_autofree char *line = cli_printable(lines[i]);
		const char *sgr = line[0] == '+'   ? "32"
				  : line[0] == '-' ? "31"
				  : line[0] == '@' ? "36"
						   : NULL;
		g_autofree char *painted = cli_paint(line, sgr);

		puts(painted);
	}
}

/* Returns: whether to go on; FALSE without @error is a no. */
static gboolean confirm(const Cli *cli, const CliEdit *edit, GError **error)
{
	char answer[8];

	if (edit->yes)
		return TRUE;
	if (cli->json || !isatty(STDIN_FILENO)) {
		g_set_error(
			error, DAXC_ERROR, DAXC_ERROR_REFUSED,
			"nobody can be asked here: say --yes, or --dry-run to see the "
			"difference");
		return FALSE;
	}
	fputs("Change the domain this way? [y/N] ", stdout);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && g_ascii_tolower(answer[0]) == 'y';
}

static void print_document(const Session *session, gboolean defined)
{
	JsonBuilder *builder = json_builder_new();
	g_autoptr(JsonNode) document = NULL;

	json_builder_begin_object(builder);
	cli_add_text(builder, "domain", gvir_domain_get_name(session->domain));
	cli_add_text(builder, "uuid", gvir_domain_get_uuid(session->domain));
	cli_add_flag(builder, "differs", *session->diff != '\0');
	cli_add_flag(builder, "defined", defined);
	cli_add_text(builder, "diff", session->diff);
	json_builder_end_object(builder);
	document = cli_built(builder);
	cli_print_json(document);
}

static gboolean is_running(const Session *session)
{
	GVirDomainInfo *info = gvir_domain_get_info(session->domain, NULL);
	gboolean running = info && info->state != GVIR_DOMAIN_STATE_SHUTOFF;

	if (info)
		g_boxed_free(GVIR_TYPE_DOMAIN_INFO, info);
	return running;
}

static gboolean prepare(Session *session, const char *name, const CliEdit *edit,
			GError **error)
{
	g_autoptr(DaxcRequest) request = NULL;
	g_autofree char *changed = NULL;

	session->connection = cli_libvirt_open(edit->connect, error);
	if (!session->connection || !find_domain(session, name, error))
		return FALSE;
	session->before = cli_libvirt_read(session->domain, error);
	if (!session->before)
		return FALSE;
	changed = edit->change(session->before, gvir_domain_get_uuid(session->domain),
			       gvir_domain_get_name(session->domain), edit->data, error);
	session->after = changed ? normalize(changed, error) : NULL;
	/* What the hook would refuse is refused now. */
	if (!session->after || !daxc_domain_read(session->after, -1, &request, error))
		return FALSE;
	session->diff = difference(session->before, session->after, error);
	return session->diff != NULL;
}

CliStatus cli_edit_domain(const Cli *cli, const char *name, const CliEdit *edit)
{
	g_auto(Session) session = {0};
	GError *error = NULL;
	gboolean differs, go = FALSE;

	if (!prepare(&session, name, edit, &error))
		return cli_fail(cli, name, error);
	differs = *session.diff != '\0';
	if (!cli->json)
		print_diff(session.diff);
	if (differs && !edit->dry_run) {
		go = confirm(cli, edit, &error);
		if (error || (go && !cli_libvirt_define(session.connection, session.after,
							&error)))
			return cli_fail(cli, name, error);
	}
	if (cli->json)
		print_document(&session, go);
	else if (!differs)
		puts("Nothing to change.");
	else if (!go)
		puts("Nothing was changed.");
	else
		printf("The domain was changed%s.\n",
		       is_running(&session) ? "; the running guest is not, until it is "
					      "started again"
					    : "");
	return CLI_DONE;
}
