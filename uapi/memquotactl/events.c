#include "memquotactl.h"
static int run(int argc, char **argv) { return !argc && !argv; }
const struct command events_command = { .name = "events", .arguments="", .summary="x", .options="", .run=run };
