# SPDX-License-Identifier: GPL-2.0-or-later
# The fleet's scheduler; read by the Makefile.am above it.

noinst_LTLIBRARIES += libcolorsched.la
libcolorsched_la_SOURCES = \
	colorsched/fleet-file.c \
	colorsched/fleet-file.h \
	colorsched/core/choice.c \
	colorsched/core/choice.h \
	colorsched/core/fleet.c \
	colorsched/core/fleet.h \
	colorsched/core/index.c \
	colorsched/core/index.h \
	colorsched/engine/answers.c \
	colorsched/engine/answers.h \
	colorsched/engine/engine.c \
	colorsched/engine/http.c \
	colorsched/engine/http.h \
	colorsched/engine/json.c \
	colorsched/engine/names.c \
	colorsched/engine/names.h \
	colorsched/engine/placement.h \
	colorsched/sim/conflict.c \
	colorsched/sim/conflict.h \
	colorsched/sim/csv.c \
	colorsched/sim/generate.c \
	colorsched/sim/policy.h \
	colorsched/sim/policy-blind.c \
	colorsched/sim/policy-colors.c \
	colorsched/sim/simulate.c \
	colorsched/sim/simulate.h \
	colorsched/sim/trace.c \
	colorsched/sim/trace.h \
	colorsched/sim/trace-priv.h
libcolorsched_la_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JSON_CFLAGS) $(CURL_CFLAGS)
libcolorsched_la_LIBADD = libdaxcolor-all.la $(JSON_LIBS) $(CURL_LIBS) -lm

bin_PROGRAMS += colorsched/colorsched
colorsched_colorsched_SOURCES = \
	colorsched/cli/engine.c \
	colorsched/cli/engine.h \
	colorsched/cli/generator.c \
	colorsched/cli/generator.h \
	colorsched/cli/main.c \
	colorsched/cli/place.c \
	colorsched/cli/plan.c \
	colorsched/cli/plot.c \
	colorsched/cli/plot.h \
	colorsched/cli/register.c \
	colorsched/cli/release.c \
	colorsched/cli/show.c \
	colorsched/cli/simulate.c \
	colorsched/cli/trace.c \
	colorsched/cli/verbs.h \
	src/cli/cli.h \
	src/cli/libvirt.c \
	src/cli/libvirt.h \
	src/cli/output.c \
	src/cli/output.h \
	src/cli/program.c \
	src/cli/program.h \
	src/cli/request.c \
	src/cli/request.h
colorsched_colorsched_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src
colorsched_colorsched_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JSON_CFLAGS) $(LIBVIRT_CFLAGS) \
	-DDAXCOLOR_VERSION=\"$(PACKAGE_VERSION)\"
colorsched_colorsched_LDADD = libcolorsched.la $(GLIB_LIBS) $(JSON_LIBS) $(LIBVIRT_LIBS)

# Unit tests.

sched_tests = \
	tests/unit/test-sched-choice \
	tests/unit/test-sched-engine \
	tests/unit/test-sched-fleet \
	tests/unit/test-sched-optimum \
	tests/unit/test-sched-sim
check_PROGRAMS += $(sched_tests)
noinst_HEADERS += tests/unit/sched-fixture.h
TESTS += $(sched_tests)
sched_libs = libcolorsched.la $(CHECK_LIBS)
tests_unit_test_sched_choice_CFLAGS = $(unit_cflags)
tests_unit_test_sched_choice_LDADD = $(sched_libs)
tests_unit_test_sched_engine_CFLAGS = $(unit_cflags) $(JSON_CFLAGS)
tests_unit_test_sched_engine_LDADD = $(sched_libs) $(JSON_LIBS)
tests_unit_test_sched_fleet_CFLAGS = $(unit_cflags)
tests_unit_test_sched_fleet_LDADD = $(sched_libs)
tests_unit_test_sched_optimum_CFLAGS = $(unit_cflags)
tests_unit_test_sched_optimum_LDADD = $(sched_libs)
tests_unit_test_sched_sim_CFLAGS = $(unit_cflags)
tests_unit_test_sched_sim_LDADD = $(sched_libs)

# Its benchmark, built by ./dev bench.

EXTRA_PROGRAMS += tests/bench/bench-simulate
tests_bench_bench_simulate_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS)
tests_bench_bench_simulate_LDADD = libcolorsched.la $(GLIB_LIBS)
