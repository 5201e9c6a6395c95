// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

int main(void)
{
	Suite *suite = suite_create("host");
	TCase *tcase = tcase_create("host");

	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
