// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

int main(void)
{
	Suite *suite = suite_create("platform");
	TCase *tcase = tcase_create("platform");

	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
