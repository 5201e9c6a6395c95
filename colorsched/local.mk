# SPDX-License-Identifier: GPL-2.0-or-later
# The fleet's scheduler; read by the Makefile.am above it.

noinst_LTLIBRARIES += libcolorsched.la
libcolorsched_la_SOURCES = \
	colorsched/core/choice.c \
	colorsched/core/choice.h \
	colorsched/core/fleet.c \
	colorsched/core/fleet.h \
	colorsched/core/index.c \
	colorsched/core/index.h
libcolorsched_la_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS)
libcolorsched_la_LIBADD = libdaxcolor-all.la

# Unit tests.

sched_tests = \
	tests/unit/test-sched-choice
check_PROGRAMS += $(sched_tests)
noinst_HEADERS += tests/unit/sched-fixture.h
TESTS += $(sched_tests)
sched_libs = libcolorsched.la $(CHECK_LIBS)
tests_unit_test_sched_choice_CFLAGS = $(unit_cflags)
tests_unit_test_sched_choice_LDADD = $(sched_libs)
