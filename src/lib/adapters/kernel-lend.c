// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory of instances that is the host's RAM for a while. */
#include "adapters/kernel-priv.h"

#include <string.h>

#include <daxcolor/error.h>

static gboolean unsupported(const DaxcKernel *kernel, GError **error)
{
	g_set_error(
		error, DAXC_ERROR, DAXC_ERROR_UNSUPPORTED,
		"%s cannot lend memory to the host and be sure to get it back zeroed; "
		"dax_color can (see `daxcolor regions`)",
		kernel->ops->name);
	return FALSE;
}

guint64 daxc_kernel_lend_unit(DaxcKernel *kernel, GError **error)
{
	if (kernel->ops->lend_unit)
		return kernel->ops->lend_unit(kernel, error);
	unsupported(kernel, error);
	return 0;
}

/* Reads back what the kernel was asked for. */
static gboolean check_lent(DaxcKernel *kernel, const char *name, gboolean lent,
			   GError **error)
{
	g_autoptr(DaxcInstance) now = daxc_kernel_instance(kernel, name, error);

	if (!now || daxc_kernel_is_lent(now) == lent)
		return now != NULL;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "the kernel says that %s is %s, and it is not so", name,
		    lent ? "the host's now" : "no longer the host's");
	return FALSE;
}

gboolean daxc_kernel_lend(DaxcKernel *kernel, const char *name, GError **error)
{
	g_autoptr(DaxcInstance) instance = daxc_kernel_instance(kernel, name, error);

	if (!instance)
		return FALSE;
	if (!kernel->ops->lend)
		return unsupported(kernel, error);
	return kernel->ops->lend(kernel, instance, error) &&
	       check_lent(kernel, name, TRUE, error);
}

gboolean daxc_kernel_reclaim(DaxcKernel *kernel, const char *name, guint wait_ms,
			     GError **error)
{
	g_autoptr(DaxcInstance) instance = daxc_kernel_instance(kernel, name, error);

	if (!instance)
		return FALSE;
	if (!daxc_kernel_is_lent(instance))
		return TRUE;
	if (!kernel->ops->reclaim)
		return unsupported(kernel, error);
	return kernel->ops->reclaim(kernel, name, wait_ms, error) &&
	       check_lent(kernel, name, FALSE, error);
}
