/* Spiking network '@NAME@', written by Thresher @VERSION@.
   Tensors: sha256 @SHA256@

   C99, with nothing but <stddef.h> and <stdint.h>; no heap, no recursion.
   Static memory: @LOCKSTEP_BYTES@ bytes (lockstep) or @ASYNC_BYTES@ bytes (event-driven), which the compiler
   checks; constants: @CONSTANT_BYTES@ bytes of arrays.

   The image: @N_PIXELS@ pixels, channels first @SHAPE@, as they were stored, before preprocessing.
   @STEPS@ steps. Populations:
@POPULATIONS@@LABELS@

       static float image[NET_PIXELS];
       int step, decision = -1;
       if (net_start(image) == 0)
           for (step = 0; step < NET_STEPS; step++)
               decision = net_step();
@SETTLING@
   It runs @SCHEDULE@ schedule unless NET_ASYNC is defined as 1 or 0. In the
   event-driven one a step has @TICKS@ ticks and a neuron rests for @REFRACTORY@ after a spike.
   The image is weighed once, in double; all that follows is whole numbers. The spikes are those of
   `thresher simulate --precision int` in the same schedule. */

#include <stddef.h>
#include <stdint.h>

#ifndef NET_ASYNC
#define NET_ASYNC @ASYNC_DEFAULT@
#endif

/* Called for every spike: its tick (in lockstep: step) from 1 on, its population as numbered above,
   its neuron, channels first, and what it carries: 1, or -1 where it takes one back; other whole
   numbers where neurons send several at once. */
#ifndef NET_ON_SPIKE
#define NET_ON_SPIKE(tick, population, neuron, payload) \
    ((void)(tick), (void)(population), (void)(neuron), (void)(payload))
#endif

#define NET_PIXELS @N_PIXELS@
#define NET_CHANNELS @N_CHANNELS@
#define NET_CLASSES @N_CLASSES@
#define NET_STEPS @STEPS@
#define NET_START @START@ /* the decision counts from this step on */
#define NET_SETTLE @SETTLE@ /* steps that net_settle may take, without the image */

/* Take an image and begin. Returns -1, and nothing can be run, where pixels are so far beyond those
   of the calibration that a membrane could overflow. */
int net_start(const float image[NET_PIXELS]);

/* Run one step. Returns the class that the output says so far; -1 before the first evidence. */
int net_step(void);

#if NET_SETTLE
#define NET_PENDING (-2)
/* Run what is left of the steps, and go on without the image until no spike is on its way and no
   neuron is to fire. Returns the class that the output says then; NET_PENDING where that has not
   come after NET_SETTLE steps. */
int net_settle(void);
#endif

/* What decides, one value a class, since step NET_START: @OUTPUT@. Valid until the next
   step. */
typedef @MEMBRANE@ net_membrane;
const net_membrane *net_outputs(void);

typedef @WEIGHT@ net_weight;
typedef @INDEX@ net_index;
typedef @REAL@ net_real;

#define NET_POPULATIONS @N_POPULATIONS@
#define NET_FEEDS @N_FEEDS@
#define NET_GRADED @GRADED@ /* whether spikes carry other numbers than 1, or max pools count them */
#define NET_FED_OUTPUT @FED_OUTPUT@
#define NET_MARKS @MARKS@
#define NET_BLOCK @BLOCK@
#define NET_REFRACTORY @REFRACTORY@
#if NET_ASYNC
#define NET_TICKS_PER_STEP @TICKS@
#define NET_BYTES @ASYNC_BYTES@
#else
#define NET_TICKS_PER_STEP 1
#define NET_BYTES @LOCKSTEP_BYTES@
#endif
#define NET_END (NET_STEPS * NET_TICKS_PER_STEP)
#define NET_LAST (NET_END + NET_SETTLE * NET_TICKS_PER_STEP)
#define NET_NEVER INT32_MAX
#define NET_PREPROCESS(pixel, channel) @PIXEL@

