/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory that plays sysfs. */
#pragma once

#include "unit.h"

#include <glib/gstdio.h>
#include <unistd.h>

typedef char Tree;

static inline Tree *tree_new(void)
{
	g_autoptr(GError) error = NULL;
	char *root = g_dir_make_tmp("daxcolor-sysfs-XXXXXX", &error);

	unit_assert_no_error(error);
	return root;
}

static inline void remove_all(const char *path)
{
	if (!g_file_test(path, G_FILE_TEST_IS_SYMLINK) &&
	    g_file_test(path, G_FILE_TEST_IS_DIR)) {
		g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
		const char *name;

		while ((name = g_dir_read_name(dir))) {
			g_autofree char *child = g_build_filename(path, name, NULL);

			remove_all(child);
		}
	}
	ck_assert_int_eq(g_remove(path), 0);
}

static inline void tree_free(Tree *root)
{
	remove_all(root);
	g_free(root);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tree, tree_free)

static inline void make_parent(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);

	ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
}

static inline void put(const Tree *root, const char *path, const char *text)
{
	g_autofree char *full = g_build_filename(root, path, NULL);
	g_autoptr(GError) error = NULL;

	make_parent(full);
	g_file_set_contents(full, text, -1, &error);
	unit_assert_no_error(error);
}

static inline void put_link(const Tree *root, const char *path, const char *target)
{
	g_autofree char *full = g_build_filename(root, path, NULL);

	make_parent(full);
	g_remove(full);
	ck_assert_int_eq(symlink(target, full), 0);
}

static inline void drop(const Tree *root, const char *path)
{
	g_autofree char *full = g_build_filename(root, path, NULL);

	ck_assert_int_eq(g_remove(full), 0);
}

G_GNUC_PRINTF(3, 4)
static inline void putf(const Tree *root, const char *path, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	put(root, path, text);
}
