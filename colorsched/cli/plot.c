// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Three panels: what guests have, what only one tenant could get, both over time, and
 * how much of their cache guests lose. One color and one dash for each policy, so that
 * the lines can be told apart in print.
 */
#include "plot.h"

#include <math.h>

#define WIDTH 860.0
#define LEFT 70.0
#define RIGHT 20.0
#define PANEL 190.0
#define GAP 60.0
#define TOP 60.0
#define TICKS 4
#define DAY 86400.0

static const char *const colors[] = {"#b2182b", "#ef8a62", "#2166ac", "#1b7837",
				     "#762a83", "#666666", "#000000", "#8c510a"};
static const char *const dashes[] = {"", "6 3", "", "6 3", "2 2", "8 2 2 2", "1 3", ""};

/**
 * Panel:
 * @top: where it begins
 * @least, @most: percent that its edges stand for
 */
typedef struct {
	GString *svg;
	const SchedReport *report;
	double top;
	double least;
	double most;
} Panel;

static double panel_top(guint index)
{
	return TOP + index * (PANEL + GAP);
}

static double at_y(const Panel *panel, double value)
{
	double part = (value - panel->least) / (panel->most - panel->least);

	return panel->top + PANEL - PANEL * CLAMP(part, 0, 1);
}

static double at_x(const Panel *panel, double time)
{
	const SchedReport *report = panel->report;
	double span = MAX(report->end - report->start, 1);

	return LEFT + (WIDTH - LEFT - RIGHT) * (time - report->start) / span;
}

/* Numbers have a point, whatever the locale says. */
static const char *number(double value, char text[G_ASCII_DTOSTR_BUF_SIZE])
{
	return g_ascii_formatd(text, G_ASCII_DTOSTR_BUF_SIZE, "%.1f", value);
}

static void add_text(GString *svg, double x, double y, const char *anchor,
		     const char *text)
{
	char a[G_ASCII_DTOSTR_BUF_SIZE], b[G_ASCII_DTOSTR_BUF_SIZE];
	g_autofree char *safe = g_markup_escape_text(text, -1);

	g_string_append_printf(svg,
			       "<text x=\"%s\" y=\"%s\" text-anchor=\"%s\">%s</text>\n",
			       number(x, a), number(y, b), anchor, safe);
}

static void add_line(GString *svg, double x1, double y1, double x2, double y2,
		     const char *style)
{
	char a[4][G_ASCII_DTOSTR_BUF_SIZE];

	g_string_append_printf(svg,
			       "<line x1=\"%s\" y1=\"%s\" x2=\"%s\" y2=\"%s\" %s/>\n",
			       number(x1, a[0]), number(y1, a[1]), number(x2, a[2]),
			       number(y2, a[3]), style);
}

/* Title, and lines at round parts. */
static void add_frame(const Panel *panel, const char *title)
{
	add_text(panel->svg, LEFT, panel->top - 10, "start", title);
	for (guint i = 0; i <= TICKS; i++) {
		double value = panel->least + (panel->most - panel->least) * i / TICKS;
		double y = at_y(panel, value);
		g_autofree char *label = g_strdup_printf("%.4g %%", value);

		add_line(panel->svg, LEFT, y, WIDTH - RIGHT, y, "stroke=\"#ddd\"");
		add_text(panel->svg, LEFT - 8, y + 4, "end", label);
	}
}

static void add_times(const Panel *panel)
{
	double days = (panel->report->end - panel->report->start) / DAY;

	for (guint i = 0; i <= TICKS; i++) {
		g_autofree char *label =
			days >= 2 ? g_strdup_printf("day %.3g", days * i / TICKS)
				  : g_strdup_printf("%.3g h", 24 * days * i / TICKS);

		add_text(panel->svg, LEFT + (WIDTH - LEFT - RIGHT) * i / TICKS,
			 panel->top + PANEL + 18, "middle", label);
	}
}

/* Percent of the fleet. */
static double percent(const SchedReport *report, guint64 bytes)
{
	return 100 * (double)bytes / (double)report->capacity;
}

static void add_curve(const Panel *panel, guint policy, gboolean idle)
{
	const GArray *points = panel->report->points;
	char a[G_ASCII_DTOSTR_BUF_SIZE], b[G_ASCII_DTOSTR_BUF_SIZE];

	g_string_append_printf(panel->svg,
			       "<polyline fill=\"none\" stroke=\"%s\" "
			       "stroke-width=\"1.6\" stroke-dasharray=\"%s\" points=\"",
			       colors[policy], dashes[policy]);
	for (guint i = 0; i < points->len; i++) {
		const SchedPoint *point = &g_array_index(points, SchedPoint, i);
		double value = percent(panel->report,
				       idle ? point->idle[policy] : point->used[policy]);

		g_string_append_printf(panel->svg, "%s%s,%s", i ? " " : "",
				       number(at_x(panel, point->time), a),
				       number(at_y(panel, value), b));
	}
	g_string_append(panel->svg, "\"/>\n");
}

/* A round number that is not below @value. */
static double round_up(double value)
{
	static const double steps[] = {1, 2, 4, 5, 10, 20, 40, 50, 100};

	for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
		if (steps[i] >= value)
			return steps[i];
	}
	return 100;
}

/* The least that a policy had once the fleet was full: policies differ in a few percent,
 * which are to be seen. What came before is cut off. */
static double least_used(const SchedReport *report)
{
	double least = 100;

	for (guint i = 0; i < report->n; i++) {
		const GArray *points = report->points;

		for (guint k = points->len / 4; k < points->len; k++) {
			const SchedPoint *point = &g_array_index(points, SchedPoint, k);

			least = MIN(least, percent(report, point->used[i]));
		}
	}
	return least;
}

static double round_down(double value)
{
	static const double steps[] = {96, 90, 80, 60, 50};

	for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
		if (steps[i] <= value)
			return steps[i];
	}
	return 0;
}

static void add_memory(Panel *panel)
{
	panel->top = panel_top(0);
	panel->least = round_down(least_used(panel->report));
	panel->most = 100;
	add_frame(panel, "memory that guests have, of the fleet's");
	add_times(panel);
	for (guint i = 0; i < panel->report->n; i++)
		add_curve(panel, i, FALSE);
}

static void add_idle(Panel *panel)
{
	double most = 0;

	for (guint i = 0; i < panel->report->n; i++)
		most = MAX(most,
			   percent(panel->report, panel->report->result[i].idle_most));
	panel->top = panel_top(1);
	panel->least = 0;
	panel->most = round_up(most);
	add_frame(panel, "free memory that only one tenant could get, of the fleet's");
	add_times(panel);
	for (guint i = 0; i < panel->report->n; i++)
		add_curve(panel, i, TRUE);
}

/* Mean of each policy as a bar, and a mark that 99 % of the guests are below. */
static void add_conflicts(Panel *panel)
{
	guint n = panel->report->n;
	double slot = (WIDTH - LEFT - RIGHT) / MAX(n, 1);
	char a[4][G_ASCII_DTOSTR_BUF_SIZE];
	double most = 0;

	for (guint i = 0; i < n; i++)
		most = MAX(most, 100 * panel->report->result[i].conflict.high);
	panel->top = panel_top(2);
	panel->least = 0;
	panel->most = round_up(most);
	add_frame(panel, "part of its cache that a guest loses to other tenants (bar: "
			 "mean; line: 99 % of guests are below)");
	for (guint i = 0; i < n; i++) {
		const SchedResult *result = &panel->report->result[i];
		double x = LEFT + slot * i + slot / 4;
		double mean = at_y(panel, 100 * result->conflict.mean);
		double high = at_y(panel, 100 * result->conflict.high);

		g_string_append_printf(
			panel->svg,
			"<rect x=\"%s\" y=\"%s\" width=\"%s\" "
			"height=\"%s\" fill=\"%s\"/>\n",
			number(x, a[0]), number(mean, a[1]), number(slot / 2, a[2]),
			number(panel->top + PANEL - mean, a[3]), colors[i]);
		add_line(panel->svg, x, high, x + slot / 2, high,
			 "stroke=\"#000\" stroke-width=\"1.6\"");
		add_text(panel->svg, x + slot / 4, panel->top + PANEL + 18, "middle",
			 result->policy->name);
	}
}

static void add_legend(GString *svg, const SchedReport *report)
{
	for (guint i = 0; i < report->n; i++) {
		double x = LEFT + i * (WIDTH - LEFT - RIGHT) / MAX(report->n, 1);
		g_autofree char *style = g_strdup_printf(
			"stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\"",
			colors[i], dashes[i]);

		add_line(svg, x, 20, x + 30, 20, style);
		add_text(svg, x + 36, 24, "start", report->result[i].policy->name);
	}
}

char *sched_plot(const SchedReport *report)
{
	GString *svg = g_string_new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	Panel panel = {.svg = svg, .report = report};

	g_string_append_printf(svg,
			       "<svg xmlns=\"http://www.w3.org/2000/svg\" "
			       "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
			       "font-size=\"12\">\n"
			       "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
			       (int)WIDTH, (int)(panel_top(3) - GAP + 30));
	add_legend(svg, report);
	add_memory(&panel);
	add_idle(&panel);
	add_conflicts(&panel);
	g_string_append(svg, "</svg>\n");
	return g_string_free(svg, FALSE);
}
