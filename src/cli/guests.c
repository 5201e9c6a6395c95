// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks libvirt which domains run, and what their live definitions say. */
#include "guests.h"

#include <libvirt-gobject/libvirt-gobject.h>
#include <string.h>

#define DEFAULT_URI "qemu:///system"

static GVirDomainState state_of(GVirDomain *domain)
{
	GVirDomainInfo *info = gvir_domain_get_info(domain, NULL);
	GVirDomainState state = info ? info->state : GVIR_DOMAIN_STATE_NONE;

	if (info)
		g_boxed_free(GVIR_TYPE_DOMAIN_INFO, info);
	return state;
}

/* Starting domains count as paused. */
static gboolean is_there(GVirDomainState state)
{
	return state != GVIR_DOMAIN_STATE_NONE && state != GVIR_DOMAIN_STATE_SHUTOFF &&
	       state != GVIR_DOMAIN_STATE_CRASHED;
}

static DaxcGuest *read_guest(GVirDomain *domain, GError **error)
{
	GVirConfigDomain *config = gvir_domain_get_config(domain, 0, error);
	g_autofree char *xml = NULL;

	if (!config)
		return NULL;
	xml = gvir_config_object_to_xml(GVIR_CONFIG_OBJECT(config));
	g_object_unref(config);
	return daxc_guest_read(xml, error);
}

/* One that has ended meanwhile is no guest and no error. */
static gboolean add_guest(GVirDomain *domain, GPtrArray *guests, GError **error)
{
	g_autoptr(GError) failure = NULL;
	GVirDomainState state = state_of(domain);
	DaxcGuest *guest;

	if (!is_there(state))
		return TRUE;
	guest = read_guest(domain, &failure);
	if (!guest && !is_there(state_of(domain)))
		return TRUE;
	if (!guest) {
		g_propagate_prefixed_error(error, g_steal_pointer(&failure),
					   "cannot read libvirt's domain %s: ",
					   gvir_domain_get_name(domain));
		return FALSE;
	}
	guest->settled = state == GVIR_DOMAIN_STATE_RUNNING ||
			 state == GVIR_DOMAIN_STATE_BLOCKED;
	g_ptr_array_add(guests, guest);
	return TRUE;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	const DaxcGuest *left = *(const DaxcGuest *const *)a;
	const DaxcGuest *right = *(const DaxcGuest *const *)b;

	return strcmp(left->name, right->name);
}

static GPtrArray *read_guests(GVirConnection *connection, GError **error)
{
	g_autoptr(GPtrArray)
		guests = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_guest_free);
	GList *domains = gvir_connection_get_domains(connection);
	gboolean ok = TRUE;

	for (GList *at = domains; ok && at; at = at->next)
		ok = add_guest(at->data, guests, error);
	g_list_free_full(domains, g_object_unref);
	if (!ok)
		return NULL;
	g_ptr_array_sort(guests, by_name);
	return g_steal_pointer(&guests);
}

GPtrArray *cli_running_guests(const char *uri, gboolean *reached, GError **error)
{
	const char *given = uri ? uri : g_getenv("LIBVIRT_DEFAULT_URI");
	GVirConnection *connection;
	GPtrArray *guests = NULL;

	*reached = FALSE;
	if (!given || !*given)
		given = DEFAULT_URI;
	if (!gvir_init_object_check(NULL, NULL, error))
		return NULL;
	connection = gvir_connection_new(given);
	if (gvir_connection_open(connection, NULL, error) &&
	    gvir_connection_fetch_domains(connection, NULL, error)) {
		*reached = TRUE;
		guests = read_guests(connection, error);
	} else {
		g_prefix_error(error, "cannot reach libvirt at %s: ", given);
	}
	g_object_unref(connection);
	return guests;
}
