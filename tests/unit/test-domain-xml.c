// SPDX-License-Identifier: GPL-2.0-or-later
/* Domain XML: what is read from it, what is refused, and edits byte by byte. */
#include "unit.h"

#include <string.h>

#include <daxcolor/domain-xml.h>

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define UUID "6e2f35f8-24e3-4b0e-9c02-08f6f3d2b001"

#define METADATA                                                                         \
	"  <metadata>\n"                                                                 \
	"    <daxcolor:memory xmlns:daxcolor='urn:daxcolor:domain:1' tenant='acme'>\n"   \
	"      <daxcolor:cell id='0' node='1' colors='2'/>\n"                            \
	"    </daxcolor:memory>\n"                                                       \
	"  </metadata>\n"
#define BACKING                                                                          \
	"  <memoryBacking>\n"                                                            \
	"    <source type='file'/>\n"                                                    \
	"    <access mode='shared'/>\n"                                                  \
	"  </memoryBacking>\n"
#define CELL "<daxcolor:cell id='0' node='1' colors='2'/>"
#define EMULATOR "<emulator>/usr/bin/daxcolor-qemu-system-x86_64</emulator>"

static const char enrolled[] = "<domain type='kvm' id='7'>\n"
			       "  <name>guest</name>\n"
			       "  <uuid>" UUID "</uuid>\n" METADATA
			       "  <memory unit='KiB'>4194304</memory>\n" BACKING
			       "  <devices>\n"
			       "    " EMULATOR "\n"
			       "  </devices>\n"
			       "</domain>\n";

static const char ordinary[] = "<domain type='kvm'>\n"
			       "  <name>guest</name>\n"
			       "  <uuid>" UUID "</uuid>\n"
			       "  <memory unit='KiB'>4194304</memory>\n"
			       "  <devices>\n"
			       "    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n"
			       "  </devices>\n"
			       "</domain>\n";

/* @text with the one place that says @from saying @to. */
static char *changed(const char *text, const char *from, const char *to)
{
	GString *result = g_string_new(text);

	ck_assert_msg(strstr(text, from) != NULL, "\"%s\" is not in the text", from);
	g_string_replace(result, from, to, 1);
	return g_string_free(result, FALSE);
}

static char *load(const char *name)
{
	g_autofree char *path = g_build_filename(TEST_DATA, "domain", name, NULL);
	g_autoptr(GError) error = NULL;
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, &error);
	unit_assert_no_error(error);
	return text;
}

static DaxcRequest *read_ok(const char *xml)
{
	g_autoptr(GError) error = NULL;
	DaxcRequest *request = NULL;
	/* A copy of exactly this size: a sanitizer then sees every read past it. */
	gsize length = strlen(xml);
	g_autofree char *copy = g_memdup2(xml, length);

	ck_assert_msg(daxc_domain_read(copy, (gssize)length, &request, &error), "%s",
		      error ? error->message : "no error set");
	unit_assert_no_error(error);
	return request;
}

static void assert_unread(const char *xml, const char *message)
{
	DaxcRequest *request = (gpointer)xml;
	g_autoptr(GError) error = NULL;

	ck_assert_msg(!daxc_domain_read(xml, -1, &request, &error), "read, not \"%s\"",
		      message);
	unit_assert_error(error, DAXC_ERROR_INVALID, message);
	ck_assert_ptr_null(request);
}

static const DaxcCellRequest *cell_of(const DaxcRequest *request, guint index)
{
	ck_assert_uint_lt(index, request->cells->len);
	return g_ptr_array_index(request->cells, index);
}

START_TEST(a_domain_says_what_it_asks_for)
{
	g_autoptr(DaxcRequest) request = read_ok(enrolled);
	const DaxcCellRequest *cell = cell_of(request, 0);

	ck_assert_str_eq(request->uuid, UUID);
	ck_assert_str_eq(request->name, "guest");
	ck_assert_str_eq(request->tenant, "acme");
	ck_assert_str_eq(request->emulator, "/usr/bin/daxcolor-qemu-system-x86_64");
	ck_assert_int_eq(request->live_id, 7);
	ck_assert_uint_eq(request->cells->len, 1);
	ck_assert_uint_eq(cell->size, 4 * GIB);
	ck_assert_int_eq(cell->node, 1);
	ck_assert_int_eq(cell->wish, DAXC_WISH_COUNT);
	ck_assert_uint_eq(cell->count, 2);
}
END_TEST

START_TEST(a_live_domain_with_cells_as_libvirt_writes_it)
{
	g_autofree char *xml = load("live-numa.xml");
	g_autoptr(DaxcRequest) request = read_ok(xml);
	const DaxcCellRequest *first = cell_of(request, 0);
	const DaxcCellRequest *second = cell_of(request, 1);

	ck_assert_int_eq(request->live_id, 1);
	ck_assert_str_eq(request->tenant, "acme");
	ck_assert_uint_eq(request->cells->len, 2);
	ck_assert_uint_eq(first->size, 2 * GIB);
	ck_assert_int_eq(first->node, 1);
	ck_assert_int_eq(first->wish, DAXC_WISH_COUNT);
	ck_assert_uint_eq(first->near->len, 0);
	ck_assert_int_eq(second->node, 2);
	ck_assert_int_eq(second->wish, DAXC_WISH_LIST);
	ck_assert_uint_eq(second->list->len, 3);
	ck_assert_uint_eq(g_array_index(second->list, guint32, 2), 3);
}
END_TEST

START_TEST(all_of_the_metadata_is_optional)
{
	g_autofree char *xml = changed(
		enrolled, METADATA,
		"<metadata><m:memory xmlns:m='urn:daxcolor:domain:1'/></metadata>");
	g_autofree char *offline = changed(xml, " id='7'", "");
	g_autoptr(DaxcRequest) request = read_ok(offline);
	const DaxcCellRequest *cell = cell_of(request, 0);

	ck_assert_str_eq(request->tenant, UUID);
	ck_assert_int_eq(request->live_id, -1);
	ck_assert_int_eq(cell->node, DAXC_ANY_NODE);
	ck_assert_int_eq(cell->wish, DAXC_WISH_ANY);
}
END_TEST

START_TEST(a_domain_without_metadata_of_ours_is_none_of_our_business)
{
	static const char *const odd[] = {
		ordinary,
		"<domain/>",
		"<domain type='xen'><memory unit='furlong'>-1</memory></domain>",
		"<domain><metadata><memory tenant='acme'/></metadata></domain>",
		"<domain><x xmlns:a='http://example.org/daxcolor-monitor'/></domain>",
		/* A namespace alone is no metadata. */
		"<domain xmlns:daxcolor='urn:daxcolor:domain:1'/>",
		"<domain><!-- <daxcolor:memory/> --></domain>",
		"<domain><name>daxcolor:memory</name></domain>",
		"<?xml version='1.0' encoding='utf-8'?><domain/>",
		"<domain><lost:prefix/></domain>",
	};
	g_autofree char *foreign = load("foreign-metadata.xml");

	ck_assert_ptr_null(read_ok(foreign));
	for (gsize i = 0; i < G_N_ELEMENTS(odd); i++)
		ck_assert_ptr_null(read_ok(odd[i]));
}
END_TEST

/* The domain above with one thing changed, and what the message must name. */
typedef struct {
	const char *from;
	const char *to;
	const char *message;
} Change;

static void assert_all_unread(const Change *changes, gsize n)
{
	for (gsize i = 0; i < n; i++) {
		g_autofree char *xml = changed(enrolled, changes[i].from, changes[i].to);

		assert_unread(xml, changes[i].message);
	}
}

START_TEST(a_typo_in_the_metadata_is_named)
{
	static const Change changes[] = {
		{"tenant=", "tennant=",
		 "line 5: <daxcolor:memory>: the attribute tennant"},
		{"tenant='acme'", "tenant=''", "tenant: \"\" is not a tenant's name"},
		{"tenant='acme'", "tenant='a b'", "tenant: \"a b\""},
		{"tenant=", "daxcolor:tenant=", "attributes of ours have no prefix"},
		{"tenant=", "added='everything' tenant=",
		 "\"everything\" is not its work"},
		{"tenant=", "added='source source' tenant=", "is not its work"},
		{CELL, "<daxcolor:cel id='0'/>",
		 "line 6: <daxcolor:cel>: not known here"},
		{CELL, "<daxcolor:memory/>", "not known here"},
		{CELL, "<cell id='0'/>", "<cell>: not in our namespace"},
		{CELL, "<x:cell xmlns:x='urn:x'/>", "<x:cell>: not in our namespace"},
		{CELL, "<daxcolor:cell id='0'><x/></daxcolor:cell>", "<x>: not in our"},
		{CELL, "colors=2", "stray text, \"colors=2\""},
		{CELL, "<![CDATA[ ]]>", "something that is no element"},
		{CELL, "<?pi?>", "something that is no element"},
		{CELL, CELL CELL, "a second one for cell 0"},
		{CELL, "<daxcolor:cell/>", "it has no id"},
		{CELL, "<daxcolor:cell id='0'>x</daxcolor:cell>", "stray text, \"x\""},
		{CELL, "<daxcolor:cell id='0'><daxcolor:cell id='1'/></daxcolor:cell>",
		 "not known here"},
		{"id='0'", "id='1'", "the guest has no cell 1; its last is 0"},
		{"id='0'", "id='-1'", "id='-1' is not a whole number"},
		{"id='0'", "id='4294967296'", "id='4294967296' is not a whole number"},
		{"node='1'", "node='one'", "node='one' is not a whole number"},
		{"node='1'", "node='1024'", "node='1024' is not a whole number"},
		{"node='1'", "nodes='1'", "the attribute nodes is not known"},
		{"colors='2'", "colors='0'", "colors='0' is not a whole number from 1"},
		{"colors='2'", "colors='-2'", "colors='-2' is not a whole number from 1"},
		{"colors='2'", "colors='65537'", "from 1 to 65536"},
		{"colors='2'", "colors='2' list='1'", "both colors and list"},
		{"colors='2'", "list=''", "list: "},
		{"colors='2'", "list='3-1'", "list: \"3-1\""},
		{"colors='2'", "list='1,1'", "named twice"},
		{"colors='2'", "list='65536'", "65536"},
	};

	assert_all_unread(changes, G_N_ELEMENTS(changes));
}
END_TEST

START_TEST(what_only_looks_like_ours_is_an_error)
{
	static const Change changes[] = {
		{"domain:1'", "domain:2'",
		 "xmlns:daxcolor='urn:daxcolor:domain:2' is not"},
		{"domain:1'", "Domain:1'",
		 "is not known; ours is 'urn:daxcolor:domain:1'"},
		{"urn:daxcolor", "URN:DAXCOLOR",
		 "xmlns:daxcolor='URN:DAXCOLOR:domain:1'"},
		{"urn:daxcolor", "urn:daxcolour", "is not known"},
		{"urn:daxcolor:domain:1", "http://example.org/",
		 "xmlns:daxcolor='http://example.org/' is not known"},
		{" xmlns:daxcolor='urn:daxcolor:domain:1'", "", "not in our namespace"},
		{METADATA, "<metadata><x xmlns='urn:daxcolor'/></metadata>",
		 "xmlns='urn:daxcolor' is not known"},
		{METADATA, "<metadata><Daxcolor/></metadata>", "<Daxcolor>: not in our"},
		{METADATA, "<metadata/><d:memory xmlns:d='urn:daxcolor:domain:1'/>",
		 "<d:memory>: not known here"},
		{METADATA,
		 "<metadata><o "
		 "xmlns:d='urn:daxcolor:domain:1'><d:memory/></o></metadata>",
		 "<d:memory>: not known here"},
		{"<memory ",
		 "<memory xmlns:daxcolor='urn:daxcolor:domain:1' daxcolor:x='' ",
		 "<memory>: the attribute daxcolor:x is not known"},
		{"<memory ", "<memory xmlns:z='urn:daxcolor:domain:1' z:tenant='' ",
		 "<memory>: the attribute z:tenant is not known"},
		{"<memory ", "<memory daxcolor:tenant='acme' ",
		 "<memory>: the attribute daxcolor:tenant is not known"},
		{METADATA, METADATA METADATA, "not known here"},
		{"</daxcolor:memory>",
		 "</daxcolor:memory><d:memory xmlns:d='urn:daxcolor:domain:1'/>",
		 "a second one; the first is in line 5"},
	};

	assert_all_unread(changes, G_N_ELEMENTS(changes));
}
END_TEST

START_TEST(a_domain_that_cannot_carry_it_is_refused_with_the_way_out)
{
	static const Change changes[] = {
		{"type='kvm'", "type='xen'", "type is \"xen\""},
		{BACKING, "", "run \"daxcolor enroll\""},
		{"    <source type='file'/>\n", "", "not backed by shared files"},
		{"    <access mode='shared'/>\n", "", "not backed by shared files"},
		{"'file'", "'memfd'", "<source type='memfd'/>"},
		{"'shared'", "'private'", "<access mode='private'/>"},
		{"<access", "<hugepages/><access", "<hugepages>"},
		{"<devices>", "<devices><memory model='dimm'/>",
		 "a memory device (dimm)"},
		{"<devices>", "<devices><memory model='nvdimm'/>",
		 "memory device (nvdimm)"},
		{EMULATOR, "", "its emulator (none)"},
		{EMULATOR, "<emulator>/usr/bin/qemu-system-x86_64</emulator>",
		 "its emulator /usr/bin/qemu-system-x86_64 is not daxcolor's launcher"},
		{EMULATOR, "<emulator>/usr/bin/daxcolor-</emulator>", "not daxcolor's"},
		{EMULATOR, "<emulator>/opt/daxcolor-x/qemu-system-x86_64</emulator>",
		 "not daxcolor's launcher"},
		{"4194304", "4194305", "not a multiple of 2 MiB"},
		{"4194304", "0", "not a multiple of 2 MiB"},
		{"4194304", "-4194304", "\"-4194304\" is not a size"},
		{"4194304", "", "\"\" is not a size"},
		{"4194304", "18014398509481984", "more memory than there can be"},
		{"unit='KiB'", "unit='KIX'", "the unit \"KIX\""},
		{"  <memory unit='KiB'>4194304</memory>\n", "", "no <memory>"},
		{"  <uuid>" UUID "</uuid>\n", "", "has no <uuid>"},
		{UUID, "1234", "\"1234\" is not a domain's UUID"},
		{"  <name>guest</name>\n", "", "has no <name>"},
		{"id='7'", "id='-7'", "id='-7'"},
	};

	assert_all_unread(changes, G_N_ELEMENTS(changes));
}
END_TEST

START_TEST(slots_for_memory_devices_do_no_harm)
{
	g_autofree char *xml =
		changed(enrolled, "  <memory ",
			"<maxMemory slots='4'>16777216</maxMemory><memory ");
	g_autoptr(DaxcRequest) request = read_ok(xml);

	ck_assert_uint_eq(cell_of(request, 0)->size, 4 * GIB);
}
END_TEST

START_TEST(units_are_libvirts)
{
	static const struct {
		const char *memory;
		guint64 bytes;
	} cases[] = {
		{"<memory>4194304</memory>", 4 * GIB},
		{"<memory unit=''>4194304</memory>", 4 * GIB},
		{"<memory unit='b'>4294967296</memory>", 4 * GIB},
		{"<memory unit='bytes'>4294967296</memory>", 4 * GIB},
		{"<memory unit='k'>4194304</memory>", 4 * GIB},
		{"<memory unit='KB'>4096000</memory>", 4096000000},
		{"<memory unit='M'> 4096\n</memory>", 4 * GIB},
		{"<memory unit='mib'>4096</memory>", 4 * GIB},
		{"<memory unit='MB'>2048</memory>", 2048000000},
		{"<memory unit='g'>4</memory>", 4 * GIB},
		{"<memory unit='GB'>2048</memory>", 2048000000000},
		{"<memory unit='TiB'>2</memory>", 2048 * GIB},
		{"<memory unit='TB'>1024</memory>", 1024000000000000},
		{"<memory unit='P'>1</memory>", GIB << 20},
		{"<memory unit='E'>1</memory>", GIB << 30},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *xml = changed(
			enrolled, "<memory unit='KiB'>4194304</memory>", cases[i].memory);
		g_autoptr(DaxcRequest) request = NULL;

		if (cases[i].bytes % (2 << 20)) {
			assert_unread(xml, "not a multiple of 2 MiB");
			continue;
		}
		request = read_ok(xml);
		ck_assert_uint_eq(cell_of(request, 0)->size, cases[i].bytes);
	}
}
END_TEST

#define TWO_CELLS                                                                        \
	"<cpu><numa><cell id='1' memory='2' unit='GiB' memAccess='shared'/>"             \
	"<cell id='0' memory='1048576' memAccess='shared'/></numa></cpu>"

START_TEST(cells_stand_in_for_the_whole_memory)
{
	g_autofree char *xml = changed(enrolled, "<devices>", TWO_CELLS "<devices>");
	g_autofree char *bare = changed(xml, "    <access mode='shared'/>\n", "");
	g_autoptr(DaxcRequest) request = read_ok(xml);
	g_autoptr(DaxcRequest) same = read_ok(bare);

	ck_assert_uint_eq(request->cells->len, 2);
	ck_assert_uint_eq(cell_of(request, 0)->size, GIB);
	ck_assert_uint_eq(cell_of(request, 1)->size, 2 * GIB);
	ck_assert_int_eq(cell_of(request, 0)->wish, DAXC_WISH_COUNT);
	ck_assert_int_eq(cell_of(request, 1)->wish, DAXC_WISH_ANY);
	ck_assert_uint_eq(same->cells->len, 2);
}
END_TEST

START_TEST(cells_that_cannot_be)
{
	static const Change changes[] = {
		{"<cell id='1'", "<cell id='0'", "must have the ids 0 to 1"},
		{"<cell id='1'", "<cell id='2'", "must have the ids 0 to 1"},
		{"<cell id='1'", "<cell id='x'", "\"x\" is not a cell's id"},
		{"memory='2'", "", "it does not say how much memory"},
		{"unit='GiB'", "unit='GiX'", "the unit \"GiX\""},
		{"memory='1048576'", "memory='1048577'", "cell 0: its size of"},
		{"memory='1048576'", "memory='0'", "cell 0: its size of 0 B"},
		{"memAccess='shared'", "memAccess='private'", "memAccess='private'"},
	};
	g_autofree char *xml = changed(enrolled, "<devices>", TWO_CELLS "<devices>");
	g_autofree char *some = NULL;
	g_autofree char *mixed = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
		g_autofree char *broken = changed(xml, changes[i].from, changes[i].to);

		assert_unread(broken, changes[i].message);
	}
	some = changed(xml, "    <access mode='shared'/>\n", "");
	mixed = changed(some, " memAccess='shared'", "");
	assert_unread(mixed, "not backed by shared files");
}
END_TEST

START_TEST(a_guest_has_no_more_cells_than_qemu_allows)
{
	g_autoptr(GString) cells = g_string_new("<cpu><numa>");
	g_autofree char *xml = NULL;

	for (guint i = 0; i < 129; i++)
		g_string_append(cells, "<cell memory='2048'/>");
	g_string_append(cells, "</numa></cpu><devices>");
	xml = changed(enrolled, "<devices>", cells->str);
	assert_unread(xml, "128 NUMA cells at most");
}
END_TEST

static void assert_near(const char *xml, guint cell, const char *expected)
{
	g_autoptr(DaxcRequest) request = read_ok(xml);
	const GArray *nodes = cell_of(request, cell)->near;
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < nodes->len; i++)
		g_string_append_printf(text, "%d ", g_array_index(nodes, gint, i));
	ck_assert_str_eq(text->str, expected);
}

START_TEST(numatune_says_which_nodes_are_near)
{
	static const struct {
		const char *nodeset;
		const char *nodes;
	} cases[] = {
		{"2", "2 "},	   {"0-3,^2", "0 1 3 "}, {"1, 3-4", "1 3 4 "},
		{"3,1,1", "1 3 "}, {"1023", "1023 "},	 {"^0", ""},
	};
	g_autofree char *any = changed(enrolled, " node='1'", "");

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *tune = g_strdup_printf(
			"<numatune><memory mode='strict' nodeset='%s'/></numatune>"
			"<devices>",
			cases[i].nodeset);
		g_autofree char *xml = changed(any, "<devices>", tune);

		assert_near(xml, 0, cases[i].nodes);
	}
}
END_TEST

START_TEST(a_cells_own_nodes_come_before_the_guests)
{
	g_autofree char *any = changed(enrolled, " node='1'", "");
	g_autofree char *xml = changed(any, "<devices>",
				       TWO_CELLS
				       "<numatune><memory nodeset='0'/>"
				       "<memnode cellid='1' mode='strict' nodeset='2'/>"
				       "</numatune><devices>");
	g_autofree char *automatic = changed(xml, "<memory nodeset='0'/>",
					     "<memory placement='auto' nodeset='0'/>");
	g_autofree char *named = changed(xml, "colors='2'", "node='3'");

	assert_near(xml, 0, "0 ");
	assert_near(xml, 1, "2 ");
	assert_near(automatic, 0, "");
	assert_near(named, 0, "");
}
END_TEST

START_TEST(node_sets_that_are_refused)
{
	static const char *const cases[] = {
		"", "x", "1-", "-1", "3-1", "1024", "0-4294967295", "^0-1", "1,,2"};
	g_autofree char *any = changed(enrolled, " node='1'", "");

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *tune = g_strdup_printf(
			"<numatune><memory nodeset='%s'/></numatune><devices>", cases[i]);
		g_autofree char *xml = changed(any, "<devices>", tune);

		if (cases[i][0] == '\0')
			assert_near(xml, 0, "");
		else
			assert_unread(xml, "is not a set of host nodes");
	}
}
END_TEST

START_TEST(documents_that_are_no_domain)
{
	static const struct {
		const char *xml;
		const char *message;
	} cases[] = {
		{"", "is empty"},
		{"x", "line 1"},
		{"<domain>", "line 1"},
		{"<domain><name>x</nam></domain>", "tag mismatch"},
		{"<domain a='1' a='2'/>", "redefined"},
		{"<domain>&bomb;</domain>", "bomb"},
		{"<network/>", "begins with <network>"},
		{"<domain xmlns='urn:x'/>", "this is no domain"},
		{"<!DOCTYPE domain><domain/>", "a DOCTYPE"},
		{"<!DOCTYPE d [<!ENTITY a 'aaa'><!ENTITY b "
		 "'&a;&a;'>]><domain>&b;</domain>",
		 "line 1: it has a DOCTYPE"},
		{"<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain/>", "a DOCTYPE"},
		{"<?xml version='1.0' encoding='ISO-8859-1'?><domain/>",
		 "says that it is ISO-8859-1"},
		{"<domain>\xff</domain>", "not UTF-8"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_unread(cases[i].xml, cases[i].message);
}
END_TEST

START_TEST(every_truncated_document_is_refused)
{
	gsize length = strlen(enrolled) - strlen(">\n");

	for (gsize i = 0; i <= length; i++) {
		g_autofree char *copy = g_memdup2(enrolled, i + 1);
		DaxcRequest *request = NULL;
		g_autoptr(GError) error = NULL;

		ck_assert(!daxc_domain_read(copy, (gssize)i, &request, &error));
		unit_assert_error(error, DAXC_ERROR_INVALID, "cannot be read");
	}
}
END_TEST

START_TEST(documents_have_bounds)
{
	g_autofree char *blank = g_strnfill(4 << 20, ' ');
	g_autofree char *large = g_strconcat("<domain>", blank, "</domain>", NULL);
	g_autoptr(GString) deep = g_string_new(NULL);

	assert_unread(large, "more than 4 MiB");
	for (guint i = 0; i < 300; i++)
		g_string_append(deep, "<domain>");
	assert_unread(deep->str, "Excessive depth");
}
END_TEST

START_TEST(messages_are_one_line_of_bounded_length)
{
	g_autofree char *flood = g_strnfill(100000, 'x');
	g_autofree char *tenant = g_strdup_printf("tenant='&#10;\xc3\xa4%s'", flood);
	g_autofree char *xml = changed(enrolled, "tenant='acme'", tenant);
	DaxcRequest *request = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_domain_read(xml, -1, &request, &error));
	ck_assert_uint_lt(strlen(error->message), 1100);
	ck_assert_ptr_null(strchr(error->message, '\n'));
	ck_assert(g_utf8_validate(error->message, -1, NULL));
}
END_TEST

/* Enrolling. */

static DaxcRequest *wish_for(const char *tenant)
{
	return daxc_request_new(UUID, "guest", tenant);
}

static void wish_cell(DaxcRequest *wish, guint id, gint node, guint count)
{
	DaxcCellRequest *cell = daxc_cell_request_new(id, 0);

	cell->node = node;
	cell->count = count;
	cell->wish = count ? DAXC_WISH_COUNT : DAXC_WISH_ANY;
	g_ptr_array_add(wish->cells, cell);
}

static char *enroll_ok(const char *xml, const DaxcRequest *wish)
{
	g_autoptr(GError) error = NULL;
	char *after = daxc_domain_enroll(xml, wish, &error);

	unit_assert_no_error(error);
	return after;
}

static char *unenroll_ok(const char *xml)
{
	g_autoptr(GError) error = NULL;
	char *after = daxc_domain_unenroll(xml, &error);

	unit_assert_no_error(error);
	return after;
}

START_TEST(enrolling_writes_what_is_missing_and_nothing_else)
{
	static const char expected[] =
		"<domain type='kvm'>\n"
		"  <name>guest</name>\n"
		"  <uuid>" UUID "</uuid>\n"
		"  <metadata>\n"
		"    <daxcolor:memory xmlns:daxcolor='urn:daxcolor:domain:1' "
		"tenant='acme' "
		"added='metadata memoryBacking'>\n"
		"      <daxcolor:cell id='0' node='1' colors='2'/>\n"
		"    </daxcolor:memory>\n"
		"  </metadata>\n"
		"  <memory unit='KiB'>4194304</memory>\n" BACKING "  <devices>\n"
		"    " EMULATOR "\n"
		"  </devices>\n"
		"</domain>\n";
	g_autoptr(DaxcRequest) wish = wish_for("acme");
	g_autofree char *after = NULL;

	wish_cell(wish, 0, 1, 2);
	after = enroll_ok(ordinary, wish);
	ck_assert_str_eq(after, expected);
}
END_TEST

static char *respaced(const char *from, const char *to)
{
	GString *text = g_string_new(ordinary);

	g_string_replace(text, from, to, 0);
	return g_string_free(text, FALSE);
}

START_TEST(what_is_written_looks_like_the_rest)
{
	g_autofree char *dos = respaced("\n", "\r\n");
	g_autofree char *tabs = respaced("  ", "\t");
	g_autofree char *flat = respaced("\n", "");
	g_autofree char *with_dos = enroll_ok(dos, NULL);
	g_autofree char *with_tabs = enroll_ok(tabs, NULL);
	g_autofree char *with_flat = enroll_ok(flat, NULL);

	ck_assert_ptr_nonnull(strstr(with_dos, "\r\n    <source type='file'/>\r\n"));
	ck_assert_ptr_nonnull(strstr(with_tabs, "\n\t\t<source type='file'/>\n"));
	ck_assert_ptr_nonnull(strstr(with_flat, "><source type='file'/><"));
}
END_TEST

START_TEST(a_wish_for_nothing_special_writes_nothing_special)
{
	g_autoptr(DaxcRequest) alone = wish_for(NULL);
	g_autofree char *without = enroll_ok(ordinary, NULL);
	g_autofree char *with = NULL;

	wish_cell(alone, 0, DAXC_ANY_NODE, 0);
	with = enroll_ok(ordinary, alone);
	ck_assert_str_eq(with, without);
	ck_assert_ptr_null(strstr(with, "tenant"));
	ck_assert_ptr_null(strstr(with, "daxcolor:cell"));
}
END_TEST

START_TEST(lists_of_colors_go_there_and_back)
{
	g_autofree char *plain = load("plain.xml");
	g_autoptr(DaxcRequest) wish = wish_for("acme");
	g_autoptr(DaxcRequest) request = NULL;
	g_autofree char *after = NULL;
	DaxcCellRequest *cell;
	guint32 colors[] = {1, 2, 3, 7};

	wish_cell(wish, 0, DAXC_ANY_NODE, 0);
	cell = g_ptr_array_index(wish->cells, 0);
	cell->wish = DAXC_WISH_LIST;
	g_array_append_vals(cell->list, colors, G_N_ELEMENTS(colors));
	after = enroll_ok(plain, wish);
	ck_assert_ptr_nonnull(strstr(after, "list='1-3,7'"));
	request = read_ok(after);
	ck_assert_uint_eq(cell_of(request, 0)->list->len, 4);
}
END_TEST

/* Every way in which a domain may be written that we have met. */
static GPtrArray *domains(void)
{
	static const struct {
		const char *from;
		const char *to;
	} variants[] = {
		{"kvm", "kvm"},
		{"  <memory ", "  <metadata/>\n  <memory "},
		{"  <memory ", "  <metadata />\n  <memoryBacking />\n  <memory "},
		{"  <memory ", "  <metadata></metadata>\n  <memory "},
		{"  <memory ", "  <metadata>\n  </metadata>\n  <memory "},
		{"  <memory ",
		 "  <metadata>\n    <!-- mine -->\n  </metadata>\n  <memory "},
		{"  <memory ",
		 "  <metadata><a:b xmlns:a='x'>'&apos;</a:b></metadata><memory "},
		{"  <devices>", "  <memoryBacking/>\n  <devices>"},
		{"  <devices>", "<memoryBacking></memoryBacking><devices>"},
		{"  <devices>", "<memoryBacking><locked/></memoryBacking><devices>"},
		{"  <devices>",
		 "  <memoryBacking>\n    <locked/>\n  </memoryBacking>\n  <devices>"},
		{"  <devices>", BACKING "  <devices>"},
		{"  <devices>",
		 "<memoryBacking> <source type='file'/> </memoryBacking><devices>"},
		{"  <devices>", "<memoryBacking>\n\t<access mode=\"shared\" "
				"/>\n</memoryBacking>\n<devices>"},
		{"  <devices>", TWO_CELLS "<devices>"},
		{"<domain",
		 "<?xml version=\"1.0\" encoding='UTF-8' ?>\n\n<!-- x\n -->\n<domain"},
		{"<domain", "\xef\xbb\xbf<domain"},
		{"<domain", "<domain\n   xmlns:qemu = "
			    "'http://libvirt.org/schemas/domain/qemu/1.0'\n"},
		{"guest<", "gu\xc3\xa4st &amp; &#x20; &lt;b&gt;<"},
		{"</domain>\n", "</domain> <!-- </domain> --> "},
		{"<name>",
		 "<description><![CDATA[<name>]]>\r\n\t'\"</description><name>"},
		{"<emulator>", "<emulator\n>"},
		{"</emulator>", "</emulator\t>"},
	};
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(list, load("plain.xml"));
	g_ptr_array_add(list, load("foreign-metadata.xml"));
	for (gsize i = 0; i < G_N_ELEMENTS(variants); i++)
		g_ptr_array_add(list,
				changed(ordinary, variants[i].from, variants[i].to));
	g_ptr_array_add(list, respaced("\n", ""));
	g_ptr_array_add(list, respaced("\n", "\r\n"));
	g_ptr_array_add(list, respaced("  ", "\t"));
	return list;
}

START_TEST(enrolling_and_unenrolling_leaves_every_byte_as_it_was)
{
	g_autoptr(GPtrArray) list = domains();
	g_autoptr(DaxcRequest) wish = wish_for("acme");

	wish_cell(wish, 0, 2, 0);
	for (guint i = 0; i < list->len; i++) {
		const char *before = g_ptr_array_index(list, i);
		g_autofree char *during = enroll_ok(before, wish);
		g_autoptr(DaxcRequest) request = read_ok(during);
		g_autofree char *after = unenroll_ok(during);

		ck_assert_str_eq(after, before);
		ck_assert_str_eq(request->tenant, "acme");
		ck_assert_int_eq(cell_of(request, 0)->node, 2);
	}
}
END_TEST

START_TEST(enrolling_again_replaces_and_forgets_nothing)
{
	g_autoptr(GPtrArray) list = domains();
	g_autoptr(DaxcRequest) first = wish_for("acme");
	g_autoptr(DaxcRequest) second = wish_for("zenith");

	wish_cell(first, 0, 2, 0);
	wish_cell(second, 0, DAXC_ANY_NODE, 3);
	for (guint i = 0; i < list->len; i++) {
		const char *before = g_ptr_array_index(list, i);
		g_autofree char *once = enroll_ok(before, first);
		g_autofree char *twice = enroll_ok(once, second);
		g_autofree char *thrice = enroll_ok(twice, first);
		g_autoptr(DaxcRequest) request = read_ok(twice);
		g_autofree char *after = unenroll_ok(twice);

		ck_assert_str_eq(request->tenant, "zenith");
		ck_assert_int_eq(cell_of(request, 0)->node, DAXC_ANY_NODE);
		ck_assert_uint_eq(cell_of(request, 0)->count, 3);
		ck_assert_str_eq(thrice, once);
		ck_assert_str_eq(after, before);
	}
}
END_TEST

START_TEST(unenrolling_keeps_what_others_added_since)
{
	g_autofree char *once = enroll_ok(ordinary, NULL);
	g_autofree char *locked =
		changed(once, "  </memoryBacking>", "    <locked/>\n  </memoryBacking>");
	g_autofree char *noted =
		changed(locked, "  </metadata>", "    <a:b xmlns:a='x'/>\n  </metadata>");
	g_autofree char *after = unenroll_ok(noted);

	ck_assert_ptr_nonnull(strstr(after, "  <metadata>\n    <a:b xmlns:a='x'/>\n"));
	ck_assert_ptr_nonnull(strstr(after, "  <memoryBacking>\n    <locked/>\n  </mem"));
	ck_assert_ptr_null(strstr(after, "daxcolor"));
	ck_assert_ptr_null(strstr(after, "shared"));
}
END_TEST

START_TEST(unenrolling_keeps_comments)
{
	g_autofree char *once = enroll_ok(ordinary, NULL);
	g_autofree char *noted =
		changed(once, "  </metadata>", "    <!-- why -->\n  </metadata>");
	g_autofree char *after = unenroll_ok(noted);

	ck_assert_ptr_nonnull(
		strstr(after, "  <metadata>\n    <!-- why -->\n  </metadata>\n"));
}
END_TEST

START_TEST(unenrolling_keeps_what_others_changed_since)
{
	g_autofree char *once = enroll_ok(ordinary, NULL);
	g_autofree char *memfd = changed(once, "type='file'", "type='memfd'");
	g_autofree char *after = unenroll_ok(memfd);

	g_autofree char *private = changed(once, "'shared'", "'private'");
	g_autofree char *last = unenroll_ok(private);

	ck_assert_ptr_nonnull(strstr(after, "<source type='memfd'/>"));
	ck_assert_ptr_null(strstr(after, "<access"));
	ck_assert_ptr_nonnull(strstr(last, "<access mode='private'/>"));
	ck_assert_ptr_null(strstr(last, "<source"));
}
END_TEST

START_TEST(unenrolling_takes_out_metadata_written_by_hand)
{
	g_autofree char *after = unenroll_ok(enrolled);

	ck_assert_ptr_null(strstr(after, "daxcolor"));
	ck_assert_ptr_nonnull(strstr(after, BACKING));
	ck_assert_ptr_nonnull(strstr(after, "  <metadata>\n  </metadata>\n"));
	ck_assert_ptr_nonnull(
		strstr(after, "<emulator>/usr/bin/qemu-system-x86_64</emulator>"));
}
END_TEST

START_TEST(unenrolling_who_is_not_enrolled)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(daxc_domain_unenroll(ordinary, &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "not enrolled");
}
END_TEST

START_TEST(enrolling_overrules_nobody)
{
	static const Change changes[] = {
		{"'kvm'", "'xen'", "type is \"xen\""},
		{"<devices>", "<memoryBacking><hugepages/></memoryBacking><devices>",
		 "<hugepages>"},
		{"<devices>",
		 "<memoryBacking><source type='memfd'/></memoryBacking><devices>",
		 "<source type='memfd'/>"},
		{"<devices>",
		 "<memoryBacking><access mode='private'/></memoryBacking><devices>",
		 "<access mode='private'/>"},
		{"<devices>",
		 "<cpu><numa><cell memory='2048' "
		 "memAccess='private'/></numa></cpu><devices>",
		 "memAccess='private'"},
		{"<devices>", "<devices><memory model='virtio-mem'/>", "virtio-mem"},
		{"/usr/bin/qemu-system-x86_64", "/usr/local/bin/my-qemu",
		 "/usr/local/bin/my-qemu is not plainly a QEMU"},
		{"/usr/bin/qemu-system-x86_64", "/usr/bin/qemu-system&#45;x86_64",
		 "not plainly a QEMU"},
		{"/usr/bin/qemu-system-x86_64",
		 "/usr/bin/daxcolor-qemu-system&#45;x86_64", "not plainly a QEMU"},
		{"    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n", "",
		 "no <emulator>"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
		g_autofree char *xml = changed(ordinary, changes[i].from, changes[i].to);
		g_autoptr(GError) error = NULL;

		ck_assert_ptr_null(daxc_domain_enroll(xml, NULL, &error));
		unit_assert_error(error, DAXC_ERROR_REFUSED, changes[i].message);
	}
}
END_TEST

START_TEST(a_wish_that_cannot_be_is_not_written)
{
	g_autoptr(DaxcRequest) quoted = wish_for("a' colors='1");
	g_autoptr(DaxcRequest) far = wish_for("acme");
	g_autofree char *odd = changed(ordinary, "4194304", "4194305");
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(daxc_domain_enroll(ordinary, quoted, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "is not a tenant's name");
	g_clear_error(&error);
	wish_cell(far, 4, 1, 0);
	ck_assert_ptr_null(daxc_domain_enroll(ordinary, far, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "the guest has no cell 4");
	g_clear_error(&error);
	ck_assert_ptr_null(daxc_domain_enroll(odd, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "not a multiple of 2 MiB");
}
END_TEST

START_TEST(a_typo_is_not_edited_away)
{
	g_autofree char *xml = changed(enrolled, "domain:1", "domain:2");
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(daxc_domain_enroll(xml, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "domain:2");
	g_clear_error(&error);
	ck_assert_ptr_null(daxc_domain_unenroll(xml, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "domain:2");
}
END_TEST

START_TEST(the_examples_are_domains_that_we_accept)
{
	static const char *const names[] = {"plain.xml", "numa.xml",
					    "shared-tenant-a.xml", "shared-tenant-b.xml",
					    "explicit-colors.xml"};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path =
			g_build_filename(EXAMPLES, "domains", names[i], NULL);
		g_autoptr(DaxcRequest) request = NULL;
		g_autofree char *xml = NULL;

		ck_assert(g_file_get_contents(path, &xml, NULL, NULL));
		request = read_ok(xml);
		ck_assert_ptr_nonnull(request);
	}
}
END_TEST

static TCase *reading(void)
{
	TCase *tcase = tcase_create("reading");

	tcase_add_test(tcase, a_domain_says_what_it_asks_for);
	tcase_add_test(tcase, a_live_domain_with_cells_as_libvirt_writes_it);
	tcase_add_test(tcase, all_of_the_metadata_is_optional);
	tcase_add_test(tcase, a_domain_without_metadata_of_ours_is_none_of_our_business);
	tcase_add_test(tcase, a_typo_in_the_metadata_is_named);
	tcase_add_test(tcase, what_only_looks_like_ours_is_an_error);
	tcase_add_test(tcase, a_domain_that_cannot_carry_it_is_refused_with_the_way_out);
	tcase_add_test(tcase, slots_for_memory_devices_do_no_harm);
	tcase_add_test(tcase, units_are_libvirts);
	tcase_add_test(tcase, cells_stand_in_for_the_whole_memory);
	tcase_add_test(tcase, cells_that_cannot_be);
	tcase_add_test(tcase, a_guest_has_no_more_cells_than_qemu_allows);
	tcase_add_test(tcase, numatune_says_which_nodes_are_near);
	tcase_add_test(tcase, a_cells_own_nodes_come_before_the_guests);
	tcase_add_test(tcase, node_sets_that_are_refused);
	tcase_add_test(tcase, documents_that_are_no_domain);
	tcase_add_test(tcase, every_truncated_document_is_refused);
	tcase_add_test(tcase, documents_have_bounds);
	tcase_add_test(tcase, messages_are_one_line_of_bounded_length);
	tcase_add_test(tcase, the_examples_are_domains_that_we_accept);
	return tcase;
}

static TCase *editing(void)
{
	TCase *tcase = tcase_create("editing");

	tcase_add_test(tcase, enrolling_writes_what_is_missing_and_nothing_else);
	tcase_add_test(tcase, what_is_written_looks_like_the_rest);
	tcase_add_test(tcase, a_wish_for_nothing_special_writes_nothing_special);
	tcase_add_test(tcase, lists_of_colors_go_there_and_back);
	tcase_add_test(tcase, enrolling_and_unenrolling_leaves_every_byte_as_it_was);
	tcase_add_test(tcase, enrolling_again_replaces_and_forgets_nothing);
	tcase_add_test(tcase, unenrolling_keeps_what_others_added_since);
	tcase_add_test(tcase, unenrolling_keeps_comments);
	tcase_add_test(tcase, unenrolling_keeps_what_others_changed_since);
	tcase_add_test(tcase, unenrolling_takes_out_metadata_written_by_hand);
	tcase_add_test(tcase, unenrolling_who_is_not_enrolled);
	tcase_add_test(tcase, enrolling_overrules_nobody);
	tcase_add_test(tcase, a_wish_that_cannot_be_is_not_written);
	tcase_add_test(tcase, a_typo_is_not_edited_away);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("domain-xml");

	suite_add_tcase(suite, reading());
	suite_add_tcase(suite, editing());
	return unit_run(suite);
}
