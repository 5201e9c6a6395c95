/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that is about nothing but its memory: writes its own pattern into every page,
 * reads all of it back, and says on the first serial port what it found. See README.md
 * for the command line.
 */
#include <stdbool.h>
#include <stdint.h>

#define PAGE 4096u
#define MAPPED (UINT64_C(64) << 30)
#define BAD_SHOWN 8

struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t modules_address, cmdline_address, rsdp_address, memmap_address;
	uint32_t memmap_entries, reserved;
};

struct memmap_entry {
	uint64_t address, size;
	uint32_t type, reserved;
};

struct range {
	uint64_t start, end;
};

struct counts {
	uint64_t pages, bad;
};

extern char image_start[], image_end[];
extern void timer_interrupt(void);
extern _Noreturn void halt_forever(void);

static char cmdline[2048];
static struct range ranges[64];
static unsigned range_count;
static uint64_t stride = PAGE;

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put_char(char c)
{
	if (c == '\n')
		put_char('\r');
	while (!(inb(0x3fd) & 0x20))
		;
	outb(0x3f8, (uint8_t)c);
}

static void put(const char *text)
{
	while (*text)
		put_char(*text++);
}

static void put_decimal(uint64_t value)
{
	char digits[21];
	unsigned at = sizeof digits - 1;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	put(digits + at);
}

static void put_hex(uint64_t value)
{
	put("0x");
	for (int shift = 60; shift >= 0; shift -= 4)
		put_char("0123456789abcdef"[value >> shift & 15]);
}

/* The value of "name=" among the words of the command line, or null. */
static const char *option(const char *name)
{
	const char *at = cmdline;

	while (*at) {
		unsigned i = 0;

		while (name[i] && at[i] == name[i])
			i++;
		if (!name[i] && at[i] == '=')
			return at + i + 1;
		while (*at && *at != ' ')
			at++;
		while (*at == ' ')
			at++;
	}
	return 0;
}

static bool option_is(const char *name, const char *value)
{
	const char *at = option(name);

	if (!at)
		return false;
	while (*value && *at == *value) {
		at++;
		value++;
	}
	return !*value && (!*at || *at == ' ');
}

static _Noreturn void refuse(const char *what)
{
	put("daxcolor-guest: ");
	put(what);
	put(": cannot go on\n");
	halt_forever();
}

static uint64_t number(const char *name, uint64_t base, uint64_t fallback)
{
	const char *at = option(name);
	uint64_t value = 0;

	if (!at)
		return fallback;
	if (base == 16 && at[0] == '0' && (at[1] | 0x20) == 'x')
		at += 2;
	if (!*at || *at == ' ')
		refuse("a number is missing on the command line");
	for (; *at && *at != ' '; at++) {
		uint64_t digit = 99;

		if (*at >= '0' && *at <= '9')
			digit = (uint64_t)(*at - '0');
		else if ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'f')
			digit = (uint64_t)((*at | 0x20) - 'a' + 10);
		if (digit >= base)
			refuse("a number on the command line is malformed");
		value = value * base + digit;
	}
	return value;
}

static void add_range(uint64_t start, uint64_t end)
{
	start = (start + PAGE - 1) / PAGE * PAGE;
	end = end / PAGE * PAGE;
	if (start >= end)
		return;
	if (range_count == sizeof ranges / sizeof ranges[0])
		refuse("too many memory ranges");
	ranges[range_count].start = start;
	ranges[range_count].end = end;
	range_count++;
}

/* RAM, less what firmware and this program themselves use. */
static void collect_ranges(const struct start_info *info)
{
	const struct memmap_entry *entry = (const void *)info->memmap_address;
	const uint64_t first = (uint64_t)image_start, last = (uint64_t)image_end;

	for (uint32_t i = 0; i < info->memmap_entries; i++, entry++) {
		uint64_t start = entry->address, end = start + entry->size;

		if (entry->type != 1)
			continue;
		if (start < 0x100000)
			start = 0x100000;
		if (end > MAPPED) {
			put("daxcolor-guest: memory beyond 64 GiB is not tested\n");
			end = MAPPED;
		}
		if (start < last && end > first) {
			add_range(start, first);
			add_range(last, end);
		} else {
			add_range(start, end);
		}
	}
}

static uint64_t total_pages(void)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < range_count; i++)
		pages += (ranges[i].end - ranges[i].start) / PAGE;
	return pages;
}

static void search(uint64_t pattern)
{
	uint64_t found = 0, used = 0;

	for (unsigned i = 0; i < range_count; i++) {
		for (uint64_t page = ranges[i].start; page < ranges[i].end;
		     page += PAGE) {
			bool here = false, nonzero = false;

			for (uint64_t at = page; at < page + PAGE; at += stride) {
				const volatile uint64_t *words = (const void *)at;

				here |= words[0] == pattern;
				nonzero |= (words[0] | words[1]) != 0;
			}
			found += here;
			used += nonzero;
		}
	}
	put("daxcolor-guest: search ");
	put_hex(pattern);
	put(": ");
	put_decimal(found);
	put(" pages found, ");
	put_decimal(used);
	put(" pages not zero\n");
}

/* The second word holds the address: memory mapped at two places is noticed. */
static void fill(uint64_t pattern)
{
	for (unsigned i = 0; i < range_count; i++) {
		for (uint64_t at = ranges[i].start; at < ranges[i].end; at += stride) {
			volatile uint64_t *words = (void *)at;

			words[0] = pattern;
			words[1] = pattern ^ at;
		}
	}
}

static void report_bad(uint64_t at, uint64_t found, uint64_t expected)
{
	put("daxcolor-guest: BAD at ");
	put_hex(at);
	put(": ");
	put_hex(found);
	put(" instead of ");
	put_hex(expected);
	put("\n");
}

static struct counts verify(uint64_t pattern)
{
	struct counts counts = {0, 0};

	for (unsigned i = 0; i < range_count; i++) {
		for (uint64_t page = ranges[i].start; page < ranges[i].end;
		     page += PAGE) {
			bool good = true;

			for (uint64_t at = page; at < page + PAGE; at += stride) {
				const volatile uint64_t *words = (const void *)at;
				const uint64_t first = words[0], second = words[1];

				if (first == pattern && second == (pattern ^ at))
					continue;
				if (good && counts.bad < BAD_SHOWN) {
					if (first != pattern)
						report_bad(at, first, pattern);
					else
						report_bad(at + 8, second, pattern ^ at);
				}
				good = false;
			}
			counts.pages++;
			counts.bad += !good;
		}
	}
	return counts;
}

static void report(struct counts counts)
{
	put("daxcolor-guest: ");
	put_decimal(counts.pages - counts.bad);
	put(" pages ok");
	if (counts.bad > 0) {
		put(", ");
		put_decimal(counts.bad);
		put(" pages BAD");
	}
	put("\n");
}

/* The PC's timer, as the firmware left it: 18 interrupts a second. */
static void start_timer(void)
{
	static uint64_t idt[256 * 2];
	static struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t address;
	} pointer = {sizeof idt - 1, 0};
	const uint64_t handler = (uint64_t)timer_interrupt;

	idt[32 * 2] = (handler & 0xffff) | UINT64_C(8) << 16 | UINT64_C(0x8e00) << 32 |
		      (handler >> 16 & 0xffff) << 48;
	idt[32 * 2 + 1] = handler >> 32;
	pointer.address = (uint64_t)idt;
	__asm__ volatile("lidt %0" : : "m"(pointer));
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, 32);
	outb(0xa1, 40);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, 0xfe);
	outb(0xa1, 0xff);
	outb(0x43, 0x34);
	outb(0x40, 0);
	outb(0x40, 0);
}

static void sleep_a_second(void)
{
	for (int tick = 0; tick < 18; tick++)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static _Noreturn void check_forever(uint64_t pattern)
{
	start_timer();
	for (;;) {
		sleep_a_second();
		report(verify(pattern));
	}
}

/* Soft-off of the pc's and q35's power management as SeaBIOS places it, then microvm's.
 */
static _Noreturn void power_off(void)
{
	outw(0x604, 0x2000);
	*(volatile uint8_t *)UINT64_C(0xfea00200) = 0x34;
	/* The machine stops a moment later, if it does. */
	for (unsigned wait = 0; wait < 1000000; wait++)
		outb(0x80, 0);
	refuse("no way to power off (has the domain <features><acpi/></features>?)");
}

void payload_main(const struct start_info *info);

void payload_main(const struct start_info *info)
{
	const char *from = (const char *)info->cmdline_address;
	uint64_t pattern;

	outb(0x3f9, 0);
	outb(0x3fb, 3);
	outb(0x3fa, 7);
	for (unsigned i = 0; from && from[i] && i < sizeof cmdline - 1; i++)
		cmdline[i] = from[i];
	if (info->magic != 0x336ec578 || info->version < 1 || info->memmap_entries == 0)
		refuse("no memory map from the boot loader");
	collect_ranges(info);
	stride = number("stride", 10, PAGE);
	if (stride < 16 || stride > PAGE || stride & (stride - 1))
		refuse("stride must be a power of two from 16 to 4096");
	pattern = number("pattern", 16, UINT64_C(0xdac0105eedc0ffee));
	put("daxcolor-guest: ");
	put_decimal(total_pages());
	put(" pages under test\n");
	if (option("search"))
		search(number("search", 16, 0));
	fill(pattern);
	report(verify(pattern));
	if (option_is("then", "check"))
		check_forever(pattern);
	if (option_is("then", "hang")) {
		put("daxcolor-guest: waiting\n");
		halt_forever();
	}
	power_off();
}
