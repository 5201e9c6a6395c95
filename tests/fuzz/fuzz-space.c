// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer: operations on a region's space and its instances, beside the model. */
#include "driver/space.c"
#include "tests/unit/space-model.c"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
	space_model_run(data, size);
	return 0;
}
