// SPDX-License-Identifier: GPL-2.0-or-later
/* The launcher's arguments: what is changed, what is not, what is refused. */
#include "unit.h"

#include <string.h>

#include "launcher-args.h"

#define DIRECTORY "/var/lib/libvirt/qemu/ram/1-guest"

/* What a hook left, and where. */
typedef struct {
	const char *directory;
	const char *text;
	guint calls;
} Handover;

static const char one_cell[] = "[cell 0]\n"
			       "node=daxcolor.cell0\n"
			       "instance=dax0.1\n"
			       "size=2147483648\n"
			       "align=1073741824\n";
static const char two_cells[] = "[cell 0]\n"
				"node=daxcolor.cell0\n"
				"instance=dax0.1\n"
				"size=2147483648\n"
				"align=1073741824\n"
				"[cell 1]\n"
				"node=daxcolor.cell1\n"
				"instance=dax1.3\n"
				"size=2147483648\n"
				"align=2097152\n";

static GPtrArray *look(const char *directory, gpointer data, GError **error)
{
	Handover *handover = data;

	handover->calls++;
	if (!handover->text || strcmp(directory, handover->directory) != 0)
		return NULL;
	return launcher_handover_parse(handover->text, strlen(handover->text), directory,
				       error);
}

static char **load(const char *name)
{
	g_autofree char *path = g_build_filename(TEST_DATA, "launcher", name, NULL);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	g_file_get_contents(path, &text, NULL, &error);
	unit_assert_no_error(error);
	g_strchomp(text);
	return g_strsplit(text, "\n", -1);
}

/* One argument after the other; "|" separates. */
static char **words(const char *text)
{
	return g_strsplit(text, "|", -1);
}

static LauncherArgs *rewrite_ok(char **argv, Handover *handover)
{
	g_autoptr(GError) error = NULL;
	LauncherArgs *args =
		launcher_rewrite((const char *const *)argv, look, handover, &error);

	unit_assert_no_error(error);
	ck_assert_ptr_nonnull(args);
	return args;
}

static void assert_refused(char **argv, Handover *handover, const char *message)
{
	g_autoptr(GError) error = NULL;

	ck_assert_msg(
		!launcher_rewrite((const char *const *)argv, look, handover, &error),
		"not refused: %s", message);
	unit_assert_error(error, DAXC_ERROR_REFUSED, message);
}

static void assert_unchanged(char **argv)
{
	Handover handover = {0};
	g_autoptr(LauncherArgs) args = rewrite_ok(argv, &handover);

	ck_assert(
		g_strv_equal((const char *const *)argv, (const char *const *)args->argv));
	ck_assert_uint_eq(args->carvings->len, 0);
	ck_assert_uint_eq(handover.calls, 0);
}

/* Every argument but the ones that hold @from is the same in @after; those have
 * @to in its place. */
static void assert_changed(char **before, char **after, const char *from, const char *to)
{
	guint changes = 0;

	ck_assert_uint_eq(g_strv_length(before), g_strv_length(after));
	for (guint i = 0; before[i]; i++) {
		g_autoptr(GString) expected = g_string_new(before[i]);

		changes += g_string_replace(expected, from, to, 0);
		ck_assert_str_eq(after[i], expected->str);
	}
	ck_assert_uint_eq(changes, 1);
}

static void assert_placed(const char *file, const char *directory, const char *object,
			  const char *handover_text)
{
	g_auto(GStrv) argv = load(file);
	Handover handover = {directory, handover_text, 0};
	g_autoptr(LauncherArgs) args = rewrite_ok(argv, &handover);
	g_autofree char *from =
		g_strdup_printf("\"mem-path\":\"%s/%s\"", directory, object);
	g_autofree char *to = g_strdup_printf("\"mem-path\":\"%s/daxcolor.cell0\","
					      "\"align\":1073741824",
					      directory);

	assert_changed(argv, args->argv, from, to);
	ck_assert_uint_eq(args->carvings->len, 1);
}

/* one_cell with another size. */
static char *sized(const char *size)
{
	GString *text = g_string_new(one_cell);

	g_string_replace(text, "2147483648", size, 1);
	return g_string_free(text, FALSE);
}

START_TEST(libvirts_command_lines_get_the_node_and_nothing_else)
{
	g_autofree char *four = sized("4294967296");

	assert_placed("pc.args", "/var/lib/libvirt/qemu/ram/1-pc", "pc.ram", one_cell);
	assert_placed("q35.args", "/var/lib/libvirt/qemu/ram/1-q35", "pc.ram", four);
	assert_placed("microvm.args", "/var/lib/libvirt/qemu/ram/1-microvm",
		      "microvm.ram", four);
}
END_TEST

static void assert_two_cells(const char *file, const char *directory)
{
	g_auto(GStrv) argv = load(file);
	Handover handover = {directory, two_cells, 0};
	g_autoptr(LauncherArgs) args = rewrite_ok(argv, &handover);
	guint changed = 0;

	for (guint i = 0; argv[i]; i++) {
		if (strcmp(argv[i], args->argv[i]) == 0)
			continue;
		changed++;
		if (strstr(argv[i], "\"ram-node0\""))
			ck_assert_ptr_nonnull(
				strstr(args->argv[i],
				       "/daxcolor.cell0\",\"align\":1073741824,"));
		else
			ck_assert_ptr_nonnull(strstr(
				args->argv[i], "/daxcolor.cell1\",\"align\":2097152,"));
	}
	ck_assert_uint_eq(changed, 2);
	ck_assert_uint_eq(args->carvings->len, 2);
	ck_assert_uint_eq(handover.calls, 1);
}

START_TEST(every_cell_gets_its_own_node)
{
	assert_two_cells("numa.args", "/var/lib/libvirt/qemu/ram/1-numa");
	assert_two_cells("tuned.args", "/var/lib/libvirt/qemu/ram/1-tuned");
}
END_TEST

START_TEST(whatever_runs_no_guest_stays_as_it_is)
{
	static const char *const cases[] = {
		"qemu",
		"qemu|--version",
		"qemu|-version",
		"qemu|-device|help",
		"qemu|-machine|help",
		/* libvirt 9.0.0's probing, both ways. */
		"qemu|-S|-no-user-config|-nodefaults|-nographic|-machine|none,accel=kvm:"
		"tcg|"
		"-qmp|unix:/x/qmp.monitor,server=on,wait=off|-pidfile|/x/"
		"qmp.pid|-daemonize",
		"qemu|-S|-no-user-config|-nodefaults|-nographic|-machine|none,accel=tcg|"
		"-qmp|unix:/x/qmp.monitor,server=on,wait=off|-pidfile|/x/"
		"qmp.pid|-daemonize",
		"qemu|-name|guest=probe|-machine|none",
		/* Somebody's own use of it. */
		"qemu|-m|512|disk.img",
		"qemu|-name|foo|-m|512",
		"qemu|-M|q35,memory-backend=m|-object|memory-backend-ram,id=m,size=1G",
		"qemu|-M|q35,memory-backend=m|-object|{'qom-type':'memory-backend-ram','"
		"id':'m'}",
		"qemu|-object|memory-backend-file,id=shm,mem-path=/dev/shm/"
		"x,size=1M|-m|512",
		"qemu|-numa|node,mem=512M",
		"qemu|-object|{\"qom-type\":\"secret\"}",
		"qemu|-object|{broken",
		"qemu|-object",
		"qemu|-machine|",
		"qemu|-|--|-object|",
		"qemu|-incoming|defer",
		"qemu|-append|-object|-kernel|k",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(GStrv) argv = words(cases[i]);

		assert_unchanged(argv);
	}
}
END_TEST

/* One cell, written in every way that QEMU reads. */
START_TEST(every_syntax_is_understood)
{
	static const struct {
		const char *before;
		const char *after;
	} cases[] = {
		{"-machine|q35,memory-backend=m|-object|memory-backend-file,id=m,"
		 "mem-path=/d/m,size=2147483648",
		 "memory-backend-file,id=m,mem-path=/d/daxcolor.cell0,align=1073741824,"
		 "size=2147483648"},
		{"--object|memory-backend-file,id=m,mem-path=/d/m,size=2G|--machine|"
		 "memory-backend=m",
		 "memory-backend-file,id=m,mem-path=/d/daxcolor.cell0,align=1073741824,"
		 "size=2G"},
		{"-object|size=2048M,share,mem-path=/d/"
		 "m,id=m,qom-type=memory-backend-file|"
		 "-M|type=q35|-M|memory-backend=m",
		 "size=2048M,share,mem-path=/d/daxcolor.cell0,align=1073741824,id=m,"
		 "qom-type=memory-backend-file"},
		{"-machine|{\"type\":\"q35\",\"memory-backend\":\"m\"}|-object|"
		 "{ \"size\" : 2147483648, \"mem-path\" : \"/d/m\" , "
		 "\"qom-type\":\"memory-backend-file\", \"id\":\"m\" } ",
		 "{ \"size\" : 2147483648, \"mem-path\" : \"/d/daxcolor.cell0\","
		 "\"align\":1073741824 , \"qom-type\":\"memory-backend-file\", "
		 "\"id\":\"m\" } "},
		{"-numa|node,memdev=m|-object|memory-backend-file,id=m,mem-path=/d/"
		 "m,size=2G",
		 "memory-backend-file,id=m,mem-path=/d/daxcolor.cell0,align=1073741824,"
		 "size=2G"},
		{"-numa|{\"type\":\"node\",\"nodeid\":0,\"memdev\":\"m\"}|-object|"
		 "memory-backend-file,id=m,mem-path=/d/m,size=2g",
		 "memory-backend-file,id=m,mem-path=/d/daxcolor.cell0,align=1073741824,"
		 "size=2g"},
		/* The last one counts. */
		{"-machine|memory-backend=x,memory-backend=m|-object|memory-backend-file,"
		 "id=m,mem-path=/x,mem-path=/d/m,size=1G,size=2G",
		 "memory-backend-file,id=m,mem-path=/x,mem-path=/d/daxcolor.cell0,"
		 "align=1073741824,size=1G,size=2G"},
		/* Doubled commas. */
		{"-machine|memory-backend=a,,b,accel=tcg|-object|memory-backend-file,"
		 "id=a,,b,mem-path=/d/a,,b,size=2G",
		 "memory-backend-file,id=a,,b,mem-path=/d/daxcolor.cell0,"
		 "align=1073741824,size=2G"},
		{"-machine|memory-backend=m|-object|{\"qom-type\":\"memory-backend-"
		 "file\","
		 "\"id\":\"m\",\"mem-path\":\"\\/d\\/\\\"]},\",\"size\":2147483648,"
		 "\"x\":[{\"y\":\"]\\\"}\"},1.5e3,true]}",
		 "{\"qom-type\":\"memory-backend-file\",\"id\":\"m\",\"mem-path\":"
		 "\"/d/daxcolor.cell0\",\"align\":1073741824,\"size\":2147483648,"
		 "\"x\":[{\"y\":\"]\\\"}\"},1.5e3,true]}"},
		/* An align that is there already. */
		{"-machine|memory-backend=m|-object|memory-backend-file,align=4096,id=m,"
		 "mem-path=/d/m,size=2G",
		 "memory-backend-file,align=1073741824,id=m,mem-path=/d/daxcolor.cell0,"
		 "size=2G"},
		{"-machine|memory-backend=m|-object|memory-backend-file,id=m,mem-path=/d/"
		 "m,"
		 "size=2G,align=2M",
		 "memory-backend-file,id=m,mem-path=/d/daxcolor.cell0,size=2G,"
		 "align=1073741824"},
		{"-machine|memory-backend=m|-object|memory-backend-file,id=m,mem-path=/d/"
		 "m,"
		 "size=2G,align=4G",
		 "memory-backend-file,id=m,mem-path=/d/daxcolor.cell0,size=2G,align=4G"},
		{"-machine|memory-backend=m|-object|{\"align\":2097152,\"id\":\"m\","
		 "\"mem-path\":\"/d/m\",\"size\":2147483648,"
		 "\"qom-type\":\"memory-backend-file\"}",
		 "{\"align\":1073741824,\"id\":\"m\",\"mem-path\":\"/d/daxcolor.cell0\","
		 "\"size\":2147483648,\"qom-type\":\"memory-backend-file\"}"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat("qemu|-enable-kvm|", cases[i].before,
						    "|-device|x,memdev=m", NULL);
		g_auto(GStrv) argv = words(text);
		Handover handover = {"/d", one_cell, 0};
		g_autoptr(LauncherArgs) args = rewrite_ok(argv, &handover);
		guint changed = 0;

		for (guint j = 0; argv[j]; j++) {
			if (strcmp(argv[j], args->argv[j]) == 0)
				continue;
			ck_assert_str_eq(args->argv[j], cases[i].after);
			changed++;
		}
		ck_assert_uint_eq(changed, 1);
	}
}
END_TEST

START_TEST(a_comma_in_the_path_is_doubled)
{
	g_auto(GStrv) argv =
		words("qemu|-machine|memory-backend=m|-object|memory-backend-file,id=m,"
		      "mem-path=/d,,e/m,size=2G");
	Handover handover = {"/d,e", one_cell, 0};
	g_autoptr(LauncherArgs) args = rewrite_ok(argv, &handover);
	const LauncherCarving *carving = g_ptr_array_index(args->carvings, 0);

	ck_assert_str_eq(args->argv[4], "memory-backend-file,id=m,"
					"mem-path=/d,,e/daxcolor.cell0,"
					"align=1073741824,size=2G");
	ck_assert_str_eq(carving->node, "/d,e/daxcolor.cell0");
	ck_assert_str_eq(carving->instance, "dax0.1");
}
END_TEST

#define FILE_0 "memory-backend-file,id=m,mem-path=" DIRECTORY "/m,size=2G"
#define FILE_1 "memory-backend-file,id=n,mem-path=" DIRECTORY "/n,size=2G"

static void assert_all_refused(const char *const (*cases)[2], gsize n, const char *start,
			       const char *text)
{
	for (gsize i = 0; i < n; i++) {
		g_autofree char *line = g_strconcat(start, "|", cases[i][0], NULL);
		g_auto(GStrv) argv = words(line);
		Handover handover = {DIRECTORY, text, 0};

		assert_refused(argv, &handover, cases[i][1]);
	}
}

START_TEST(a_guest_of_libvirts_runs_on_its_colors_or_not_at_all)
{
	static const char *const cases[][2] = {
		{"-machine|q35", "guest g: it has memory that is no memory object"},
		{"-m|512", "it has memory that is no memory object"},
		{"-machine|q35,memory-backend=m",
		 "guest g: its memory object m is not on"},
		{"-machine|q35,memory-backend=m|-object|memory-backend-ram,id=m,size=2G",
		 "is a memory-backend-ram and not a file"},
		{"-machine|q35,memory-backend=m|-object|memory-backend-memfd,id=m,size="
		 "2G",
		 "is a memory-backend-memfd"},
		{"-machine|q35,memory-backend=m|-object|id=m,size=2G",
		 "thing of no type"},
		{"-machine|q35|-numa|node,mem=512", "no memory object"},
		{"-machine|q35,memory-backend=m|-object|{\"qom-type\":\"memory-backend-"
		 "file\","
		 "\"id\":\"m\",\"id\":\"m\",\"mem-path\":\"" DIRECTORY "/m\"}",
		 "in a form that the launcher can read"},
		{"-machine|q35,memory-backend=m|-object|" FILE_0,
		 "there is no " DIRECTORY "/daxcolor.carvings"},
	};

	assert_all_refused(cases, G_N_ELEMENTS(cases), "qemu|-name|guest=g", NULL);
}
END_TEST

START_TEST(libvirts_other_kinds_of_memory_are_refused)
{
	g_auto(GStrv) anonymous = load("anonymous.args");
	g_auto(GStrv) memfd = load("memfd.args");
	Handover handover = {0};

	assert_refused(anonymous, &handover, "pc.ram is a memory-backend-ram");
	assert_refused(memfd, &handover, "pc.ram is a memory-backend-memfd");
}
END_TEST

START_TEST(a_file_without_a_handover_is_refused_whoever_asks)
{
	static const char *const cases[][2] = {
		{"-machine|q35,memory-backend=m|-object|" FILE_0,
		 "libvirtd was restarted"},
		{"-numa|node,memdev=m|-object|" FILE_0, "there is no " DIRECTORY},
	};

	assert_all_refused(cases, G_N_ELEMENTS(cases), "qemu", NULL);
}
END_TEST

START_TEST(command_line_and_handover_must_agree)
{
	static const char *const cases[][2] = {
		{"-machine|memory-backend=m|-object|" FILE_0,
		 "libvirt's hook has carved dax1.3 for cell 1"},
		{"-numa|node,memdev=m|-numa|node,nodeid=2,memdev=n|-object|" FILE_0
		 "|-object|" FILE_1,
		 "has carved nothing for its cell 2"},
		{"-numa|node,memdev=m|-numa|node,nodeid=-1,memdev=n|-object|" FILE_0
		 "|-object|" FILE_1,
		 "has carved nothing for its cell 4294967295"},
		{"-numa|node,nodeid=0,memdev=m|-numa|node,nodeid=0,memdev=n|-"
		 "object|" FILE_0 "|-object|" FILE_1,
		 "memory for cell 0 twice"},
		{"-machine|memory-backend=m|-numa|node,memdev=m|-object|" FILE_0,
		 "memory for cell 0 twice"},
		{"-numa|node,memdev=m|-numa|node,memdev=n|-object|" FILE_0
		 "|-object|memory-backend-ram,id=n,size=2G",
		 "its memory object n is a memory-backend-ram"},
		{"-numa|node,memdev=m|-numa|node,memdev=n|-object|" FILE_0,
		 "its memory object n is not on"},
		{"-numa|node,memdev=m|-numa|node,mem=2G|-object|" FILE_0,
		 "no memory object of QEMU's"},
		{"-numa|node,memdev=m|-numa|node,memdev=n|-object|" FILE_0
		 "|-object|memory-backend-file,id=n,mem-path=/elsewhere/n,size=2G",
		 "in two directories"},
		{"-numa|node,memdev=m|-object|memory-backend-file,id=m,mem-"
		 "path=" DIRECTORY "/m,size=1G",
		 "memory of size 1G, but libvirt's hook has carved 2 GiB"},
		{"-numa|node,memdev=m|-object|memory-backend-file,id=m,mem-"
		 "path=" DIRECTORY "/m,size=-2G",
		 "memory of size -2G"},
		{"-numa|node,memdev=m|-object|memory-backend-file,id=m,mem-"
		 "path=" DIRECTORY "/m",
		 "memory of size unknown"},
		{"-numa|node,memdev=m|-object|{\"qom-type\":\"memory-backend-file\","
		 "\"id\":\"m\",\"mem-path\":\"" DIRECTORY "/m\",\"size\":\"2147483648\"}",
		 "memory of size 2147483648, but"},
		{"-numa|node,memdev=m|-object|memory-backend-file,id=m,size=2G",
		 "has no mem-path"},
	};

	assert_all_refused(cases, G_N_ELEMENTS(cases), "qemu", two_cells);
}
END_TEST

/* Whatever an option that we do not know hides, no cell goes by unnoticed. */
START_TEST(an_unknown_switch_hides_nothing)
{
	static const char *const cases[][2] = {
		{"-new|-machine|memory-backend=m|-object|" FILE_0, "no memory object"},
		{"-machine|memory-backend=m|-new|-object|" FILE_0, "is not on QEMU's"},
	};
	static const char *const cells[][2] = {
		{"-numa|node,memdev=m|-new|-numa|node,memdev=n|-object|" FILE_0,
		 "cell 1"},
	};

	assert_all_refused(cases, G_N_ELEMENTS(cases), "qemu|-name|guest=g", one_cell);
	assert_all_refused(cells, G_N_ELEMENTS(cells), "qemu", two_cells);
}
END_TEST

START_TEST(json_of_a_depth_that_nobody_needs_is_not_read)
{
	g_autofree char *open = g_strnfill(100, '[');
	g_autofree char *close = g_strnfill(100, ']');
	g_autofree char *object = g_strconcat(
		"{\"qom-type\":\"memory-backend-ram\",\"id\":\"m\",\"x\":", open, close,
		"}", NULL);
	g_autofree char *line = g_strconcat(
		"qemu|-name|guest=g|-machine|memory-backend=m|-object|", object, NULL);
	g_auto(GStrv) argv = words(line);
	Handover handover = {0};

	assert_refused(argv, &handover, "in a form that the launcher can read");
}
END_TEST

START_TEST(cells_without_a_number_are_counted)
{
	g_auto(GStrv) argv =
		words("qemu|-numa|node,memdev=m|-numa|dist,src=0,dst=1,val=20|-numa|"
		      "node,memdev=n|-object|" FILE_0 "|-object|" FILE_1);
	Handover handover = {DIRECTORY, two_cells, 0};
	g_autoptr(LauncherArgs) args = rewrite_ok(argv, &handover);

	ck_assert_ptr_nonnull(strstr(args->argv[8], DIRECTORY "/daxcolor.cell0"));
	ck_assert_ptr_nonnull(strstr(args->argv[10], DIRECTORY "/daxcolor.cell1"));
}
END_TEST

START_TEST(json_that_json_glib_does_not_read_is_not_guessed_at)
{
	static const char *const objects[] = {
		"{\"qom-type\":\"memory-backend-file\",\"id\":\"m\"",
		"{\"qom-type\":\"memory-backend-file\",\"id\":\"m\"}}",
		"{\"qom-type\":\"memory-backend-file\",\"\\u0069d\":\"m\"}",
		"{\"qom-type\" \"memory-backend-file\",\"id\":\"m\"}",
		"{\"qom-type\":,\"id\":\"m\"}",
		"{'qom-type':'memory-backend-file','id':'m'}",
		"{\"id\":\"m\",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
		"[[[[[["
		"[[[[[[[[[[[[[[[[[[[[[]}",
		"{\"id\":\"m",
		"{\"id\":\"m\\",
		"{",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(objects); i++) {
		g_autofree char *line =
			g_strconcat("qemu|-name|guest=g|-machine|memory-backend=m|"
				    "-object|",
				    objects[i], NULL);
		g_auto(GStrv) argv = words(line);
		Handover handover = {0};

		assert_refused(argv, &handover, "in a form that the launcher can read");
	}
}
END_TEST

START_TEST(a_handover_that_the_hook_did_not_write)
{
	static const char *const cases[][2] = {
		{"", "it is empty"},
		{"\xff", "it is no key file"},
		{"node=x", "it is no key file"},
		{"[cell]\n", "the group [cell] is not known"},
		{"[cell x]\n", "the group [cell x] is not known"},
		{"[cell 00]\n", "the group [cell 00] is not known"},
		{"[cell 128]\n", "the group [cell 128] is not known"},
		{"[row 0]\n", "the group [row 0] is not known"},
		{"[cell 0]\n", "[cell 0] lacks node"},
		{"[cell 0]\nnode=../../dev/mem\n", "[cell 0] names the node"},
		{"[cell 0]\nnode=daxcolor.cell1\n", "[cell 0] names the node"},
		{"[cell 0]\nnode=daxcolor.cell0\n", "[cell 0] lacks instance"},
		{"[cell 0]\nnode=daxcolor.cell0\ninstance=dax0.1\n", "lacks size"},
		{"[cell 0]\nnode=daxcolor.cell0\ninstance=dax0.1\nsize=2G\nalign=2M\n",
		 "size \"2G\" is not a whole number"},
		{"[cell 0]\nnode=daxcolor.cell0\ninstance=dax0.1\nsize=4096\n", "align"},
		{"[cell 0]\nnode=daxcolor.cell0\ninstance=dax0.1\nsize=0\nalign=4096\n",
		 "do not go together"},
		{"[cell "
		 "0]\nnode=daxcolor.cell0\ninstance=dax0.1\nsize=4097\nalign=4096\n",
		 "do not go together"},
		{"[cell "
		 "0]\nnode=daxcolor.cell0\ninstance=dax0.1\nsize=12288\nalign=12288\n",
		 "do not go together"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert_ptr_null(launcher_handover_parse(
			cases[i][0], strlen(cases[i][0]), "/d", &error));
		unit_assert_error(error, DAXC_ERROR_INVALID, cases[i][1]);
		unit_assert_error(error, DAXC_ERROR_INVALID, "/d/daxcolor.carvings is");
	}
}
END_TEST

START_TEST(what_is_wrong_with_a_handover_reaches_the_user)
{
	g_auto(GStrv) argv = words("qemu|-name|guest=g|-machine|memory-backend=m|"
				   "-object|" FILE_0);
	Handover handover = {DIRECTORY, "[cell 0]\n", 0};
	g_autoptr(GError) error = NULL;

	ck_assert(!launcher_rewrite((const char *const *)argv, look, &handover, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "guest g: " DIRECTORY "/daxcolor.");
}
END_TEST

START_TEST(the_qemu_is_the_name_without_ours)
{
	static const struct {
		const char *called;
		const char *self;
		const char *paths;
	} cases[] = {
		{"/usr/bin/daxcolor-qemu-system-x86_64", NULL,
		 "/usr/bin/qemu-system-x86_64"},
		{"/opt/bin/daxcolor-qemu-system-x86_64", "/usr/bin/x",
		 "/opt/bin/qemu-system-x86_64 /usr/bin/qemu-system-x86_64"},
		{"daxcolor-qemu-kvm", "/usr/libexec/daxcolor-launcher",
		 "/usr/libexec/qemu-kvm /usr/bin/qemu-kvm"},
		{"./daxcolor-q", "/x/y", "./q /usr/bin/q"},
		{"daxcolor-q", NULL, "/usr/bin/q"},
		{"", "/usr/bin/daxcolor-q", "/usr/bin/q"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_auto(GStrv)
			paths = launcher_qemu(cases[i].called, cases[i].self, &error);
		g_autofree char *text = NULL;

		unit_assert_no_error(error);
		text = g_strjoinv(" ", paths);
		ck_assert_str_eq(text, cases[i].paths);
	}
}
END_TEST

START_TEST(a_name_without_ours_is_refused)
{
	static const char *const cases[] = {"/usr/bin/qemu-system-x86_64", "daxcolor-",
					    "/daxcolor-x/qemu", "Daxcolor-qemu", ""};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert_ptr_null(launcher_qemu(cases[i], NULL, &error));
		unit_assert_error(error, DAXC_ERROR_INVALID, "called as");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("launcher");
	TCase *tcase = tcase_create("launcher");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, libvirts_command_lines_get_the_node_and_nothing_else);
	tcase_add_test(tcase, every_cell_gets_its_own_node);
	tcase_add_test(tcase, whatever_runs_no_guest_stays_as_it_is);
	tcase_add_test(tcase, every_syntax_is_understood);
	tcase_add_test(tcase, a_comma_in_the_path_is_doubled);
	tcase_add_test(tcase, a_guest_of_libvirts_runs_on_its_colors_or_not_at_all);
	tcase_add_test(tcase, libvirts_other_kinds_of_memory_are_refused);
	tcase_add_test(tcase, a_file_without_a_handover_is_refused_whoever_asks);
	tcase_add_test(tcase, command_line_and_handover_must_agree);
	tcase_add_test(tcase, an_unknown_switch_hides_nothing);
	tcase_add_test(tcase, json_of_a_depth_that_nobody_needs_is_not_read);
	tcase_add_test(tcase, cells_without_a_number_are_counted);
	tcase_add_test(tcase, json_that_json_glib_does_not_read_is_not_guessed_at);
	tcase_add_test(tcase, a_handover_that_the_hook_did_not_write);
	tcase_add_test(tcase, what_is_wrong_with_a_handover_reaches_the_user);
	tcase_add_test(tcase, the_qemu_is_the_name_without_ours);
	tcase_add_test(tcase, a_name_without_ours_is_refused);
	return unit_run(suite);
}
