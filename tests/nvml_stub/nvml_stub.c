/* A libnvidia-ml.so.1 that plays a scene from a text file.
 *
 * The real binding (pynvml) is tested against it: each function has NVML's own name,
 * arguments and return codes. SNUGTUNE_NVML_SCENE names the scene; its form is told in
 * README.md. SNUGTUNE_NVML_CALLS, when set, names a file to which every call is
 * added as a line "process thread function", so that a test can tell who asked.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef unsigned int uint;
typedef unsigned long long ull;

enum { DRIVER = -1, WHOLE = -1, MOST_LINES = 1024, MOST_CARDS = 16, MOST_SLICES = 7 };
enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7 };
static const ull NOT_AVAILABLE = ~0ull;
static const ull MIB = 1ull << 20;

/* One line of the scene: who, from which poll on, what. */
typedef struct {
    int card, slice;
    uint from;
    char key[48];
    char value[160];
} Line;

/* What the binding holds as an opaque handle. */
typedef struct {
    int card, slice;
} Handle;

typedef struct {
    const char *word;
    uint number;
} Word;

static const Word ERRORS[] = {
    {"UNINITIALIZED", 1}, {"INVALID_ARGUMENT", 2}, {"NOT_SUPPORTED", 3},
    {"NO_PERMISSION", 4}, {"NOT_FOUND", 6}, {"DRIVER_NOT_LOADED", 9},
    {"TIMEOUT", 10}, {"FUNCTION_NOT_FOUND", 13}, {"GPU_IS_LOST", 15},
    {"RESET_REQUIRED", 16}, {"LIB_RM_VERSION_MISMATCH", 18}, {"UNKNOWN", 999},
};
static const Word WORDS[] = {
    {"no", 0}, {"off", 0}, {"none", 0}, {"yes", 1}, {"on", 1},
    {"passthrough", 1}, {"vgpu", 2},
    {"pascal", 4}, {"volta", 5}, {"turing", 6}, {"ampere", 7}, {"ada", 8}, {"hopper", 9},
    {"blackwell", 10},
};
#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static Line lines[MOST_LINES];
static uint line_count, polls;
static Handle handles[MOST_CARDS][MOST_SLICES + 1];
static char read_path[1024];
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

static char *trimmed(char *text) {
    while (isspace((unsigned char)*text)) text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) *--end = 0;
    return text;
}

static void read_head(const char *head, Line *place) {
    const char *found;
    place->card = DRIVER, place->slice = WHOLE, place->from = 0;
    if ((found = strstr(head, "card "))) place->card = atoi(found + 5);
    if ((found = strstr(head, "slice "))) place->slice = atoi(found + 6);
    if ((found = strstr(head, "from poll "))) place->from = (uint)atoi(found + 10);
}

static void read_scene(const char *path) {
    char text[256];
    Line place = {.card = DRIVER, .slice = WHOLE};
    FILE *scene = fopen(path, "r");
    line_count = polls = 0;
    if (!scene) {
        fprintf(stderr, "nvml stub: no scene at SNUGTUNE_NVML_SCENE\n");
        abort();
    }
    while (fgets(text, sizeof text, scene)) {
        char *hash = strchr(text, '#'), *line, *equals;
        if (hash) *hash = 0;
        line = trimmed(text);
        if (*line == '[') {
            read_head(line, &place);
        } else if ((equals = strchr(line, '='))) {
            *equals = 0;
            Line *kept = &lines[line_count++];
            *kept = place;
            snprintf(kept->key, sizeof kept->key, "%s", trimmed(line));
            snprintf(kept->value, sizeof kept->value, "%s", trimmed(equals + 1));
        } else if (*line || line_count == MOST_LINES - 1) {
            fprintf(stderr, "nvml stub: can't read \"%s\"\n", line);
            abort();
        }
    }
    fclose(scene);
}

/* Another scene begins when NVML is started anew with another path. */
static void read_named_scene(void) {
    const char *path = getenv("SNUGTUNE_NVML_SCENE");
    pthread_mutex_lock(&reading);
    if (strcmp(read_path, path ? path : "")) {
        snprintf(read_path, sizeof read_path, "%s", path);
        read_scene(path);
    }
    pthread_mutex_unlock(&reading);
}

static void note(const char *function) {
    const char *path = getenv("SNUGTUNE_NVML_CALLS");
    FILE *calls = path ? fopen(path, "a") : NULL;
    if (!calls) return;
    fprintf(calls, "%d %ld %s\n", getpid(), syscall(SYS_gettid), function);
    fclose(calls);
}

/* What is said of a key at this poll, the last line holding; NULL when nothing is. */
static const char *said(int card, int slice, const char *key) {
    const char *latest = NULL;
    for (uint i = 0; i < line_count; i++)
        if (lines[i].card == card && lines[i].slice == slice &&
            lines[i].from <= polls && !strcmp(lines[i].key, key))
            latest = lines[i].value;
    return latest;
}

static int code_of(const char *value) {
    for (uint i = 0; i < COUNT(ERRORS); i++)
        if (!strcmp(ERRORS[i].word, value)) return (int)ERRORS[i].number;
    if (!strcmp(value, "HANGS"))
        for (;;) pause();
    return SUCCESS;
}

static int find(const Handle *who, const char *key, const char **value) {
    const char *all = said(who->card, WHOLE, "every call");
    if (all && code_of(all)) return code_of(all);
    *value = said(who->card, who->slice, key);
    return *value ? code_of(*value) : NOT_SUPPORTED;
}

static int find_text(const Handle *who, const char *key, char *into, uint room) {
    const char *value;
    int code = find(who, key, &value);
    if (code == SUCCESS) snprintf(into, room, "%s", value);
    return code;
}

static uint number_of(const char *value) {
    for (uint i = 0; i < COUNT(WORDS); i++)
        if (!strcmp(WORDS[i].word, value)) return WORDS[i].number;
    return (uint)strtoul(value, NULL, 0);
}

static int find_number(const Handle *who, const char *key, uint *into) {
    const char *value;
    int code = find(who, key, &value);
    if (code == SUCCESS) *into = number_of(value);
    return code;
}

static const Handle driver = {DRIVER, WHOLE};

#define NOTE note(__func__)

/* --- the library and the driver ------------------------------------------------- */

int nvmlInitWithFlags(uint flags) {
    (void)flags;
    NOTE;
    read_named_scene();
    const char *init = said(DRIVER, WHOLE, "init");
    return init ? code_of(init) : SUCCESS;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) {
    NOTE;
    return SUCCESS;
}

const char *nvmlErrorString(int code) {
    for (uint i = 0; i < COUNT(ERRORS); i++)
        if ((int)ERRORS[i].number == code) return ERRORS[i].word;
    return "error";
}

int nvmlSystemGetDriverVersion(char *into, uint room) {
    NOTE;
    return find_text(&driver, "version", into, room);
}

int nvmlSystemGetCudaDriverVersion_v2(int *into) {
    NOTE;
    int major, minor;
    const char *value;
    int code = find(&driver, "cuda", &value);
    if (code) return code;
    if (sscanf(value, "%d.%d", &major, &minor) != 2) return INVALID;
    *into = 1000 * major + 10 * minor;
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(uint *into) {
    NOTE;
    polls++;
    return find_number(&driver, "cards", into);
}

int nvmlDeviceGetHandleByIndex_v2(uint index, Handle **into) {
    NOTE;
    if (index >= MOST_CARDS) return INVALID;
    Handle *made = &handles[index][MOST_SLICES];
    *made = (Handle){(int)index, WHOLE};
    *into = made;
    const char *value = said((int)index, WHOLE, "handle");
    return value ? code_of(value) : SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Handle **into) {
    NOTE;
    for (uint index = 0; index < MOST_CARDS; index++) {
        const char *own = said((int)index, WHOLE, "uuid");
        if (own && !strcmp(own, uuid))
            return nvmlDeviceGetHandleByIndex_v2(index, into);
    }
    return NOT_FOUND;
}

/* --- one card ------------------------------------------------------------------- */

#define TEXT(function, key)                                     \
    int function(const Handle *who, char *into, uint room) {    \
        NOTE;                                                   \
        return find_text(who, key, into, room);                 \
    }
#define NUMBER(function, key)                    \
    int function(const Handle *who, uint *into) { \
        NOTE;                                    \
        return find_number(who, key, into);      \
    }
#define WIDE_NUMBER(function, key)              \
    int function(const Handle *who, ull *into) { \
        NOTE;                                   \
        uint number = 0;                        \
        int code = find_number(who, key, &number); \
        *into = number;                         \
        return code;                            \
    }

TEXT(nvmlDeviceGetName, "name")
TEXT(nvmlDeviceGetUUID, "uuid")
NUMBER(nvmlDeviceGetArchitecture, "architecture")
NUMBER(nvmlDeviceGetFanSpeed, "fan")
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, "pcie generation")
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, "pcie width")
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, "pcie generation at most")
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, "pcie width at most")
NUMBER(nvmlDeviceGetDisplayMode, "display attached")
NUMBER(nvmlDeviceGetMaxMigDeviceCount, "slices at most")
WIDE_NUMBER(nvmlDeviceGetVirtualizationMode, "virtualization")
WIDE_NUMBER(nvmlDeviceGetCurrentClocksThrottleReasons, "throttle")

static int milliwatts(const Handle *who, const char *key, uint *into) {
    int code = find_number(who, key, into);
    if (code == SUCCESS) *into *= 1000;
    return code;
}

int nvmlDeviceGetPowerUsage(const Handle *who, uint *into) {
    NOTE;
    return milliwatts(who, "power", into);
}

int nvmlDeviceGetEnforcedPowerLimit(const Handle *who, uint *into) {
    NOTE;
    return milliwatts(who, "power limit", into);
}

int nvmlDeviceGetTemperature(const Handle *who, int sensor, uint *into) {
    NOTE;
    return sensor ? INVALID : find_number(who, "temperature", into);
}

int nvmlDeviceGetTemperatureThreshold(const Handle *who, int kind, uint *into) {
    NOTE;
    return kind == 1 ? find_number(who, "slows at", into) : NOT_SUPPORTED;
}

int nvmlDeviceGetClockInfo(const Handle *who, int kind, uint *into) {
    NOTE;
    return find_number(who, kind == 2 ? "memory clock" : "sm clock", into);
}

int nvmlDeviceGetMaxClockInfo(const Handle *who, int kind, uint *into) {
    NOTE;
    const char *key = kind == 2 ? "memory clock at most" : "sm clock at most";
    return find_number(who, key, into);
}

int nvmlDeviceGetCudaComputeCapability(const Handle *who, int *major, int *minor) {
    NOTE;
    const char *value;
    int code = find(who, "capability", &value);
    if (code) return code;
    return sscanf(value, "%d.%d", major, minor) == 2 ? SUCCESS : INVALID;
}

int nvmlDeviceGetUtilizationRates(const Handle *who, uint into[2]) {
    NOTE;
    int code = find_number(who, "utilization", &into[0]);
    return code ? code : find_number(who, "memory utilization", &into[1]);
}

int nvmlDeviceGetMigMode(const Handle *who, uint *now, uint *pending) {
    NOTE;
    int code = find_number(who, "mig", now);
    *pending = *now;
    return code;
}

int nvmlDeviceGetEccMode(const Handle *who, uint *now, uint *pending) {
    NOTE;
    int code = find_number(who, "ecc", now);
    *pending = *now;
    return code;
}

int nvmlDeviceGetTotalEccErrors(const Handle *who, int kind, int since, ull *into) {
    NOTE;
    uint number = 0;
    int code = find_number(who, kind ? "uncorrected errors" : "corrected errors", &number);
    (void)since;
    *into = number;
    return code;
}

int nvmlDeviceGetMigDeviceHandleByIndex(const Handle *who, uint index, Handle **into) {
    NOTE;
    if (index >= MOST_SLICES || !said(who->card, (int)index, "uuid")) return NOT_FOUND;
    *into = &handles[who->card][index];
    **into = (Handle){who->card, (int)index};
    return SUCCESS;
}

/* --- memory: "total 24564 reserved 381 used 17", in MiB --------------------------- */

typedef struct {
    ull total, reserved, used;
} Amounts;

static int find_memory(const Handle *who, Amounts *amounts) {
    const char *value;
    int code = find(who, "memory", &value);
    if (code) return code;
    if (sscanf(value, "total %llu reserved %llu used %llu", &amounts->total,
               &amounts->reserved, &amounts->used) != 3)
        return INVALID;
    amounts->total *= MIB, amounts->reserved *= MIB, amounts->used *= MIB;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(const Handle *who, ull into[3]) {
    NOTE;
    Amounts a;
    int code = find_memory(who, &a);
    if (code) return code;
    /* The first version counts what the driver keeps among the used. */
    into[0] = a.total, into[1] = a.total - a.reserved - a.used;
    into[2] = a.reserved + a.used;
    return SUCCESS;
}

typedef struct {
    uint version;
    ull total, reserved, free, used;
} MemoryV2;

int nvmlDeviceGetMemoryInfo_v2(const Handle *who, MemoryV2 *into) {
    NOTE;
    Amounts a;
    const char *newer = said(who->card, who->slice, "memory v2");
    int code = newer ? code_of(newer) : SUCCESS;
    if (code == SUCCESS) code = find_memory(who, &a);
    if (code) return code;
    if (into->version != (sizeof *into | 2u << 24)) return INVALID;
    into->total = a.total, into->reserved = a.reserved;
    into->used = a.used, into->free = a.total - a.reserved - a.used;
    return SUCCESS;
}

/* --- programs: "4101 graphics 5120", in MiB; $NAME:4101 takes NAME's value --------- */

typedef struct {
    uint pid;
    ull used;
    uint gpu_instance, compute_instance;
} Program;

static int read_program(const char *value, const char *kind, Program *into) {
    char pid[48], own[16], used[16];
    if (sscanf(value, "%47s %15s %15s", pid, own, used) != 3) return 0;
    if (strcmp(own, kind) && strcmp(own, "both")) return 0;
    char *number = pid, *colon = strchr(pid, ':');
    if (*pid == '$' && colon) {
        *colon = 0;
        number = getenv(pid + 1) ? getenv(pid + 1) : colon + 1;
    }
    ull amount = strcmp(used, "hidden") ? strtoull(used, NULL, 10) * MIB : NOT_AVAILABLE;
    *into = (Program){(uint)atoi(number), amount, ~0u, ~0u};
    return 1;
}

static int list_programs(const Handle *who, const char *kind, uint *count, Program *into) {
    const char *value;
    uint room = *count, found = 0;
    int code = find(who, "programs", &value);
    if (code && code != NOT_SUPPORTED) return code;
    if (code && !said(who->card, who->slice, "program")) return NOT_SUPPORTED;
    for (uint i = 0; i < line_count; i++) {
        Program one;
        if (lines[i].card != who->card || lines[i].slice != who->slice ||
            lines[i].from > polls || strcmp(lines[i].key, "program") ||
            !read_program(lines[i].value, kind, &one))
            continue;
        if (into && found < room) into[found] = one;
        found++;
    }
    *count = found;
    return found > room || (!into && found) ? TOO_SMALL : SUCCESS;
}

#define PROGRAMS(function, version, kind)                                \
    int function(const Handle *who, uint *count, Program *into) {         \
        NOTE;                                                             \
        const char *own = said(who->card, who->slice, "programs " version); \
        int code = own ? code_of(own) : SUCCESS;                          \
        return code ? code : list_programs(who, kind, count, into);       \
    }

PROGRAMS(nvmlDeviceGetComputeRunningProcesses_v3, "v3", "compute")
PROGRAMS(nvmlDeviceGetComputeRunningProcesses_v2, "v2", "compute")
PROGRAMS(nvmlDeviceGetGraphicsRunningProcesses_v3, "v3", "graphics")
PROGRAMS(nvmlDeviceGetGraphicsRunningProcesses_v2, "v2", "graphics")
