// SPDX-License-Identifier: GPL-2.0
/*
 * Claims: who alone may use an instance, until the same gives it back.
 */
#include <linux/device/class.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "claim.h"
#include "compat.h"
#include "dax_color.h"

/* More of them make a line too long for sysfs anyway. */
#define DC_MOST_NAMES	64

/* One claim or release of several at a time: two that overlap must not both fail. */
static DEFINE_MUTEX(dc_claims_lock);

/* ---- one instance; with dc_instance.lock ---- */

static int dc_may_claim(struct dc_instance *instance, const uuid_t *uuid, bool shared)
{
	const struct dc_claim *claim = &instance->claim;

	if (instance->dead || !dc_size(instance))
		return -ENXIO;
	if (claim->count && (!uuid_equal(&claim->uuid, uuid) || claim->shared != shared))
		return -EBUSY;
	return !shared && instance->opens > 1 ? -EBUSY : 0;
}

static int dc_claim_one(struct dc_instance *instance, const uuid_t *uuid, bool shared,
			struct dax_color_claimant *claimant)
{
	struct dc_claim *claim = &instance->claim;
	int err;

	spin_lock(&instance->claim_lock);
	err = dc_may_claim(instance, uuid, shared);
	if (!err && !claim->count++) {
		claim->uuid = *uuid;
		claim->shared = shared;
	}
	/* User space and a module may have one UUID. */
	if (!err && claimant)
		claim->claimant = claimant;
	spin_unlock(&instance->claim_lock);
	return err;
}

static void dc_release_one(struct dc_instance *instance)
{
	struct dc_claim *claim = &instance->claim;

	spin_lock(&instance->claim_lock);
	if (!--claim->count)
		memset(claim, 0, sizeof(*claim));
	spin_unlock(&instance->claim_lock);
}

bool dc_claimed(struct dc_instance *instance)
{
	bool claimed;

	spin_lock(&instance->claim_lock);
	claimed = instance->claim.count;
	spin_unlock(&instance->claim_lock);
	return claimed;
}

int dc_claim_open(struct dc_instance *instance)
{
	int err = 0;

	spin_lock(&instance->claim_lock);
	if (instance->claim.count && !instance->claim.shared && instance->opens)
		err = -EBUSY;
	else
		instance->opens++;
	spin_unlock(&instance->claim_lock);
	return err;
}

void dc_claim_close(struct dc_instance *instance)
{
	spin_lock(&instance->claim_lock);
	instance->opens--;
	spin_unlock(&instance->claim_lock);
}

/* ---- several, all or none; with dc_claims_lock ---- */

static int dc_claim_locked(struct dc_instance *instance, const uuid_t *uuid, bool shared,
			   struct dax_color_claimant *claimant)
{
	int err = mutex_lock_killable(&instance->lock);

	if (err)
		return err;
	err = dc_claim_one(instance, uuid, shared, claimant);
	mutex_unlock(&instance->lock);
	return err;
}

static int dc_claim_all(struct dc_instance **instances, unsigned int nr, const uuid_t *uuid,
			bool shared, struct dax_color_claimant *claimant)
{
	unsigned int i;
	int err = 0;

	mutex_lock(&dc_claims_lock);
	for (i = 0; i < nr && !err; i++)
		err = dc_claim_locked(instances[i], uuid, shared, claimant);
	if (err) {
		/* The last one was refused. */
		for (i--; i--; )
			dc_release_one(instances[i]);
	}
	mutex_unlock(&dc_claims_lock);
	return err;
}

static bool dc_is_claimant(struct dc_instance *instance, const uuid_t *uuid)
{
	return instance->claim.count && uuid_equal(&instance->claim.uuid, uuid);
}

/* How often @instance is among the first @nr. */
static unsigned int dc_times(struct dc_instance *const *instances, unsigned int nr,
			     const struct dc_instance *instance)
{
	unsigned int i, times = 0;

	for (i = 0; i < nr; i++)
		times += instances[i] == instance;
	return times;
}

static int dc_may_release(struct dc_instance **instances, unsigned int nr, const uuid_t *uuid)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct dc_instance *instance = instances[i];

		if (dc_is_claimant(instance, uuid) &&
		    dc_times(instances, nr, instance) <= instance->claim.count)
			continue;
		dev_warn(&instance->dev, "%pUb releases what it has not claimed (%s)\n", uuid,
			 current->comm);
		return -EPERM;
	}
	return 0;
}

static int dc_release_all(struct dc_instance **instances, unsigned int nr, const uuid_t *uuid)
{
	unsigned int i;
	int err;

	mutex_lock(&dc_claims_lock);
	err = dc_may_release(instances, nr, uuid);
	for (i = 0; !err && i < nr; i++)
		dc_release_one(instances[i]);
	mutex_unlock(&dc_claims_lock);
	return err;
}

/* Ends every claim of @uuid, however often it was made: its maker has died. */
static int dc_release_dead(struct device *dev, const void *uuid)
{
	struct dc_instance *instance = to_dc_instance(dev);

	while (dc_is_claimant(instance, uuid) && !instance->claim.claimant)
		dc_release_one(instance);
	return 0;
}

static void dc_put_all(struct dc_instance **instances, unsigned int nr)
{
	while (nr--)
		put_device(&instances[nr]->dev);
}

/* References to all that are named, or to none. */
static int dc_get_all(const char *const *names, unsigned int nr, struct dc_instance **instances)
{
	unsigned int i;

	if (!nr)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		instances[i] = dc_instance_get(names[i]);
		if (!instances[i]) {
			dc_put_all(instances, i);
			return -ENODEV;
		}
	}
	return 0;
}

/* ---- for modules ---- */

int dax_color_claim(struct dax_color_claimant *claimant, const char *const *names,
		    unsigned int nr, bool shared)
{
	struct dc_instance *instances[DC_MOST_NAMES];
	int err;

	if (uuid_is_null(&claimant->uuid) || nr > DC_MOST_NAMES)
		return -EINVAL;
	err = dc_get_all(names, nr, instances);
	if (err)
		return err;
	err = dc_claim_all(instances, nr, &claimant->uuid, shared, claimant);
	dc_put_all(instances, nr);
	return err;
}
EXPORT_SYMBOL_GPL(dax_color_claim);

int dax_color_release(struct dax_color_claimant *claimant, const char *const *names,
		      unsigned int nr)
{
	struct dc_instance *instances[DC_MOST_NAMES];
	int err;

	if (nr > DC_MOST_NAMES)
		return -EINVAL;
	err = dc_get_all(names, nr, instances);
	if (err)
		return err;
	err = dc_release_all(instances, nr, &claimant->uuid);
	dc_put_all(instances, nr);
	return err;
}
EXPORT_SYMBOL_GPL(dax_color_release);

/**
 * struct dc_idle_wait - somebody wants to know when no page is pinned
 * @look: looks
 * @instance: reference
 * @claimant: whom to tell, as long as it has the claim
 */
struct dc_idle_wait {
	struct delayed_work look;
	struct dc_instance *instance;
	struct dax_color_claimant *claimant;
};

static struct workqueue_struct *dc_claims_wq;

static void dc_idle_end(struct dc_idle_wait *wait)
{
	put_device(&wait->instance->dev);
	kfree(wait);
	module_put(THIS_MODULE);
}

static void dc_idle_look(struct work_struct *work)
{
	struct dc_idle_wait *wait = container_of(to_delayed_work(work), struct dc_idle_wait, look);
	struct dc_instance *instance = wait->instance;

	mutex_lock(&dc_claims_lock);
	if (instance->claim.claimant == wait->claimant) {
		if (dc_pinned(instance)) {
			queue_delayed_work(dc_claims_wq, &wait->look, HZ / 10);
			mutex_unlock(&dc_claims_lock);
			return;
		}
		wait->claimant->ops->idle(wait->claimant, dev_name(&instance->dev));
	}
	mutex_unlock(&dc_claims_lock);
	dc_idle_end(wait);
}

static int dc_idle_begin(struct dc_instance *instance, struct dax_color_claimant *claimant)
{
	struct dc_idle_wait *wait;

	if (instance->claim.claimant != claimant || !claimant->ops || !claimant->ops->idle)
		return -EPERM;
	wait = kzalloc(sizeof(*wait), GFP_KERNEL);
	if (!wait)
		return -ENOMEM;
	/* Who has claimed keeps the module; who released meanwhile does not. */
	__module_get(THIS_MODULE);
	get_device(&instance->dev);
	wait->instance = instance;
	wait->claimant = claimant;
	INIT_DELAYED_WORK(&wait->look, dc_idle_look);
	queue_delayed_work(dc_claims_wq, &wait->look, 0);
	return 0;
}

int dax_color_notify_idle(struct dax_color_claimant *claimant, const char *name)
{
	struct dc_instance *instance = dc_instance_get(name);
	int err;

	if (!instance)
		return -ENODEV;
	mutex_lock(&dc_claims_lock);
	err = dc_idle_begin(instance, claimant);
	mutex_unlock(&dc_claims_lock);
	put_device(&instance->dev);
	return err;
}
EXPORT_SYMBOL_GPL(dax_color_notify_idle);

void dc_claim_failed(struct dc_instance *instance, u64 offset)
{
	struct dax_color_claimant *claimant;

	mutex_lock(&dc_claims_lock);
	claimant = instance->claim.claimant;
	if (claimant && claimant->ops && claimant->ops->failed)
		claimant->ops->failed(claimant, dev_name(&instance->dev), offset);
	mutex_unlock(&dc_claims_lock);
}

/* ---- for user space: "UUID [shared] NAME..." ---- */

static char *dc_next_word(char **text)
{
	char *word;

	do {
		word = strsep(text, " \t\n");
	} while (word && !*word);
	return word;
}

static bool dc_parse_uuid(char **text, uuid_t *uuid)
{
	const char *word = dc_next_word(text);

	return word && strlen(word) == UUID_STRING_LEN && !uuid_parse(word, uuid) &&
	       !uuid_is_null(uuid);
}

/* Returns: how many words; more than @room when there is no room. */
static unsigned int dc_split(char *text, const char **words, unsigned int room)
{
	unsigned int nr = 0;
	char *word;

	while (nr <= room && (word = dc_next_word(&text))) {
		if (nr < room)
			words[nr] = word;
		nr++;
	}
	return nr;
}

static int dc_claim_text(char *text)
{
	const char *words[DC_MOST_NAMES + 1];
	struct dc_instance *instances[DC_MOST_NAMES];
	unsigned int nr, shared;
	uuid_t uuid;
	int err;

	if (!dc_parse_uuid(&text, &uuid))
		return -EINVAL;
	nr = dc_split(text, words, ARRAY_SIZE(words));
	shared = nr && !strcmp(words[0], "shared");
	nr -= shared;
	if (nr > DC_MOST_NAMES)
		return -EINVAL;
	err = dc_get_all(words + shared, nr, instances);
	if (err)
		return err;
	err = dc_claim_all(instances, nr, &uuid, shared, NULL);
	dc_put_all(instances, nr);
	return err;
}

static int dc_release_text(char *text)
{
	const char *words[DC_MOST_NAMES];
	struct dc_instance *instances[DC_MOST_NAMES];
	unsigned int nr;
	uuid_t uuid;
	int err;

	if (!dc_parse_uuid(&text, &uuid))
		return -EINVAL;
	nr = dc_split(text, words, DC_MOST_NAMES);
	if (nr > DC_MOST_NAMES)
		return -EINVAL;
	if (!nr) {
		mutex_lock(&dc_claims_lock);
		dc_instances_each(dc_release_dead, &uuid);
		mutex_unlock(&dc_claims_lock);
		return 0;
	}
	err = dc_get_all(words, nr, instances);
	if (err)
		return err;
	err = dc_release_all(instances, nr, &uuid);
	dc_put_all(instances, nr);
	return err;
}

static ssize_t dc_with_copy(int (*act)(char *text), const char *buf, size_t count)
{
	char *text = kstrdup(buf, GFP_KERNEL);
	int err;

	if (!text)
		return -ENOMEM;
	err = act(text);
	kfree(text);
	return err ? err : count;
}

static ssize_t claim_store(DC_CLASS_ATTR_ARGS, const char *buf, size_t count)
{
	return dc_with_copy(dc_claim_text, buf, count);
}

static ssize_t release_store(DC_CLASS_ATTR_ARGS, const char *buf, size_t count)
{
	return dc_with_copy(dc_release_text, buf, count);
}

static struct class_attribute class_attr_claim = __ATTR(claim, 0200, NULL, claim_store);
static struct class_attribute class_attr_release = __ATTR(release, 0200, NULL, release_store);

static struct attribute *dc_claim_attrs[] = {
	&class_attr_claim.attr,
	&class_attr_release.attr,
	NULL
};

static const struct attribute_group dc_claim_group = {
	.attrs = dc_claim_attrs,
};

const struct attribute_group *dc_claim_groups[] = {
	&dc_claim_group,
	NULL
};

ssize_t dc_claim_show(struct dc_instance *instance, char *buf)
{
	struct dc_claim claim;

	spin_lock(&instance->claim_lock);
	claim = instance->claim;
	spin_unlock(&instance->claim_lock);
	if (!claim.count)
		return sysfs_emit(buf, "-\n");
	return sysfs_emit(buf, "%pUb %u%s\n", &claim.uuid, claim.count,
			  claim.shared ? " shared" : "");
}

int dc_claims_init(void)
{
	dc_claims_wq = alloc_workqueue("dax_color_claim", WQ_UNBOUND, 0);
	return dc_claims_wq ? 0 : -ENOMEM;
}

void dc_claims_exit(void)
{
	destroy_workqueue(dc_claims_wq);
}
