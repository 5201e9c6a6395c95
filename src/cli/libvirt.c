// SPDX-License-Identifier: GPL-2.0-or-later
/* What of libvirt the commands use. */
#include "libvirt.h"

#include <daxcolor/daxcolor.h>

#define DEFAULT_URI "qemu:///system"

GVirConnection *cli_libvirt_open(const char *uri, GError **error)
{
	const char *given = uri ? uri : g_getenv("LIBVIRT_DEFAULT_URI");
	GVirConnection *connection;

	if (!given || !*given)
		given = DEFAULT_URI;
	if (!gvir_init_object_check(NULL, NULL, error))
		return NULL;
	connection = gvir_connection_new(given);
	if (gvir_connection_open(connection, NULL, error) &&
	    gvir_connection_fetch_domains(connection, NULL, error))
		return connection;
	g_object_unref(connection);
	g_prefix_error(error, "cannot reach libvirt at %s: ", given);
	return NULL;
}

char *cli_libvirt_read(GVirDomain *domain, GError **error)
{
	GVirConfigDomain *config = gvir_domain_get_config(
		domain, GVIR_DOMAIN_XML_INACTIVE | GVIR_DOMAIN_XML_SECURE, error);
	char *xml;

	if (!config)
		return NULL;
	xml = gvir_config_object_to_xml(GVIR_CONFIG_OBJECT(config));
	g_object_unref(config);
	return xml;
}

/* Returns: (transfer full): the domain as libvirt shows it afterwards. */
static char *define(GVirConnection *connection, const char *xml, GError **error)
{
	GVirConfigDomain *config = gvir_config_domain_new_from_xml(xml, error);
	GVirDomain *defined;
	char *shown;

	if (!config)
		return NULL;
	defined = gvir_connection_create_domain(connection, config, error);
	g_object_unref(config);
	if (!defined)
		return NULL;
	shown = cli_libvirt_read(defined, error);
	g_object_unref(defined);
	return shown;
}

gboolean cli_libvirt_define(GVirConnection *connection, const char *xml, GError **error)
{
	g_autofree char *shown = define(connection, xml, error);
	g_autoptr(DaxcRequest) wanted = NULL, got = NULL;

	if (!shown || !daxc_domain_read(xml, -1, &wanted, error) ||
	    !daxc_domain_read(shown, -1, &got, error))
		return FALSE;
	if (!wanted == !got && (!got || g_strcmp0(wanted->tenant, got->tenant) == 0))
		return TRUE;
	g_set_error(
		error, DAXC_ERROR, DAXC_ERROR_FAILED,
		"libvirt took the new definition, but shows another: see `virsh dumpxml "
		"--inactive`");
	return FALSE;
}
