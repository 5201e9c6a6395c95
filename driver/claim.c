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

/* Of instances in one claim: as many as a guest can have NUMA cells. */
#define DC_MOST_NAMES	128

/**
 * struct dc_several - what is claimed or released in one step
 * @nr: how many of @list are there
 * @list: references; one instance may be there twice
 */
struct dc_several {
	unsigned int nr;
	struct dc_instance *list[DC_MOST_NAMES];
};

/* One claim or release of several at a time: two that overlap must not both fail. */
static DEFINE_MUTEX(dc_claims_lock);

/* ---- one instance ---- */

static bool dc_is_claimant(const struct dc_claim *claim, const struct dc_claim *who)
{
	return claim->count && uuid_equal(&claim->uuid, &who->uuid) &&
	       claim->claimant == who->claimant;
}

/* With dc_instance.lock and open_lock */
static int dc_may_claim(struct dc_instance *instance, const struct dc_claim *who)
{
	const struct dc_claim *claim = &instance->claim;

	if (instance->dead || !dc_size(instance))
		return -ENXIO;
	if (claim->count && (!dc_is_claimant(claim, who) || claim->shared != who->shared))
		return -EBUSY;
	return !who->shared && instance->opens > 1 ? -EBUSY : 0;
}

/* With dc_instance.lock */
static int dc_claim_one(struct dc_instance *instance, const struct dc_claim *who)
{
	struct dc_claim *claim = &instance->claim;
	int err;

	spin_lock(&instance->open_lock);
	err = dc_may_claim(instance, who);
	if (!err && !claim->count)
		*claim = *who;
	if (!err)
		claim->count++;
	spin_unlock(&instance->open_lock);
	return err;
}

static void dc_release_one(struct dc_instance *instance)
{
	struct dc_claim *claim = &instance->claim;

	spin_lock(&instance->open_lock);
	if (!--claim->count)
		memset(claim, 0, sizeof(*claim));
	spin_unlock(&instance->open_lock);
}

static struct dc_claim dc_claim_of(struct dc_instance *instance)
{
	struct dc_claim claim;

	spin_lock(&instance->open_lock);
	claim = instance->claim;
	spin_unlock(&instance->open_lock);
	return claim;
}

bool dc_claimed(struct dc_instance *instance)
{
	return dc_claim_of(instance).count;
}

int dc_claim_may_open(const struct dc_instance *instance)
{
	const struct dc_claim *claim = &instance->claim;

	return claim->count && !claim->shared && instance->opens ? -EBUSY : 0;
}

void dc_claim_forget(struct dc_instance *instance)
{
	mutex_lock(&dc_claims_lock);
	spin_lock(&instance->open_lock);
	memset(&instance->claim, 0, sizeof(instance->claim));
	spin_unlock(&instance->open_lock);
	mutex_unlock(&dc_claims_lock);
}

/* ---- several, all or none ---- */

static void dc_several_free(struct dc_several *several)
{
	while (several->nr)
		put_device(&several->list[--several->nr]->dev);
	kfree(several);
}

static int dc_several_add(struct dc_several *several, const char *name)
{
	struct dc_instance *instance;

	if (several->nr == DC_MOST_NAMES)
		return -EINVAL;
	instance = dc_instance_get(name);
	if (!instance)
		return -ENODEV;
	several->list[several->nr++] = instance;
	return 0;
}

static int dc_claim_with_lock(struct dc_instance *instance, const struct dc_claim *who)
{
	int err;

	if (mutex_lock_killable(&instance->lock))
		return -EINTR;
	err = dc_claim_one(instance, who);
	mutex_unlock(&instance->lock);
	return err;
}

static int dc_claim_all(const struct dc_several *several, const struct dc_claim *who)
{
	unsigned int done = 0;
	int err = 0;

	mutex_lock(&dc_claims_lock);
	while (done < several->nr) {
		err = dc_claim_with_lock(several->list[done], who);
		if (err)
			break;
		done++;
	}
	while (err && done)
		dc_release_one(several->list[--done]);
	mutex_unlock(&dc_claims_lock);
	return err;
}

static unsigned int dc_times(const struct dc_several *several, const struct dc_instance *instance)
{
	unsigned int i, times = 0;

	for (i = 0; i < several->nr; i++)
		times += several->list[i] == instance;
	return times;
}

static int dc_may_release(const struct dc_several *several, const struct dc_claim *who)
{
	unsigned int i;

	for (i = 0; i < several->nr; i++) {
		const struct dc_instance *instance = several->list[i];

		if (dc_is_claimant(&instance->claim, who) &&
		    dc_times(several, instance) <= instance->claim.count)
			continue;
		dev_warn(&instance->dev, "%pUb releases what it has not claimed (%s)\n",
			 &who->uuid, current->comm);
		return -EPERM;
	}
	return 0;
}

static int dc_release_all(const struct dc_several *several, const struct dc_claim *who)
{
	unsigned int i;
	int err;

	mutex_lock(&dc_claims_lock);
	err = dc_may_release(several, who);
	for (i = 0; !err && i < several->nr; i++)
		dc_release_one(several->list[i]);
	mutex_unlock(&dc_claims_lock);
	return err;
}

/* With dc_claims_lock: ends the claim of who has died, however often it was made. */
static int dc_release_dead(struct device *dev, void *who)
{
	struct dc_instance *instance = to_dc_instance(dev);

	while (dc_is_claimant(&instance->claim, who))
		dc_release_one(instance);
	return 0;
}

/* ---- for modules ---- */

static int dc_for_module(const char *const *names, unsigned int nr, const struct dc_claim *who,
			 int (*act)(const struct dc_several *several, const struct dc_claim *who))
{
	struct dc_several *several;
	unsigned int i;
	int err = 0;

	if (uuid_is_null(&who->uuid) || !nr)
		return -EINVAL;
	several = kzalloc(sizeof(*several), GFP_KERNEL);
	if (!several)
		return -ENOMEM;
	for (i = 0; i < nr && !err; i++)
		err = dc_several_add(several, names[i]);
	if (!err)
		err = act(several, who);
	dc_several_free(several);
	return err;
}

int dax_color_claim(struct dax_color_claimant *claimant, const char *const *names,
		    unsigned int nr, bool shared)
{
	struct dc_claim who = { .uuid = claimant->uuid, .claimant = claimant, .shared = shared };

	return dc_for_module(names, nr, &who, dc_claim_all);
}
EXPORT_SYMBOL_GPL(dax_color_claim);

int dax_color_release(struct dax_color_claimant *claimant, const char *const *names,
		      unsigned int nr)
{
	struct dc_claim who = { .uuid = claimant->uuid, .claimant = claimant };

	return dc_for_module(names, nr, &who, dc_release_all);
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

/* ---- for user space ---- */

static char *dc_next_word(char **text)
{
	char *word;

	do {
		word = strsep(text, " \t\n");
	} while (word && !*word);
	return word;
}

/* @text: "UUID [shared] NAME...". Returns: the first name; NULL: there is none. */
static const char *dc_parse_claim(char **text, struct dc_claim *who)
{
	const char *word = dc_next_word(text);

	if (!word || strlen(word) != UUID_STRING_LEN || uuid_parse(word, &who->uuid) ||
	    uuid_is_null(&who->uuid))
		return NULL;
	word = dc_next_word(text);
	who->shared = word && !strcmp(word, "shared");
	return who->shared ? dc_next_word(text) : word;
}

static int dc_claim_text(char *text, struct dc_several *several)
{
	struct dc_claim who = { };
	const char *name = dc_parse_claim(&text, &who);
	int err = name ? 0 : -EINVAL;

	for (; name && !err; name = dc_next_word(&text))
		err = dc_several_add(several, name);
	return err ? err : dc_claim_all(several, &who);
}

static void dc_release_every(struct dc_claim *who)
{
	mutex_lock(&dc_claims_lock);
	dc_instances_each(dc_release_dead, who);
	mutex_unlock(&dc_claims_lock);
}

static int dc_release_text(char *text, struct dc_several *several)
{
	struct dc_claim who = { };
	const char *name = dc_parse_claim(&text, &who);
	int err = 0;

	if (who.shared || uuid_is_null(&who.uuid))
		return -EINVAL;
	if (!name) {
		dc_release_every(&who);
		return 0;
	}
	for (; name && !err; name = dc_next_word(&text))
		err = dc_several_add(several, name);
	return err ? err : dc_release_all(several, &who);
}

static ssize_t dc_for_user(const char *buf, size_t count,
			   int (*act)(char *text, struct dc_several *several))
{
	struct dc_several *several = kzalloc(sizeof(*several), GFP_KERNEL);
	char *text = kstrdup(buf, GFP_KERNEL);
	int err = several && text ? act(text, several) : -ENOMEM;

	kfree(text);
	if (several)
		dc_several_free(several);
	return err ? err : count;
}

static ssize_t claim_store(DC_CLASS_ATTR_ARGS, const char *buf, size_t count)
{
	return dc_for_user(buf, count, dc_claim_text);
}

static ssize_t release_store(DC_CLASS_ATTR_ARGS, const char *buf, size_t count)
{
	return dc_for_user(buf, count, dc_release_text);
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
	struct dc_claim claim = dc_claim_of(instance);

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
