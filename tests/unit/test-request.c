// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tcase = tcase_create("request");

	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
