/* ---- the run: nothing below depends on the network ------------------------------------------ */

enum { NET_CONV, NET_DENSE, NET_IDENTITY, NET_SPARSE };

/* One value for all neurons (length 1), one a channel, or one a neuron: neuron i has
   values[i % length]. */
typedef struct {
    const net_membrane *values;
    uint32_t length;
} net_table;

/* Neurons are numbered channels last: ((y * width) + x) * channels + channel. */
typedef struct {
    uint32_t first;              /* its first neuron among those of all populations */
    uint32_t size, channels, width;
    net_table theta, v_init, current; /* current.values 0: made of the image, at `fed` */
    uint32_t fed;
    uint32_t spikes, capacity;   /* its part of the list of spikes */
    uint32_t projections, end;   /* those that reach it */
    uint8_t fires, hard_reset;
    net_membrane v_reset;
} net_population;

/* A source neuron (channel c, row y, column x) stands at channel[c], row[y], column[x] of what is
   convolved, or at their sum of what is multiplied or passed on; -1 anywhere: nowhere. */
typedef struct {
    uint8_t kind;
    uint16_t source;
    uint32_t delay;
    const int32_t *channel, *row, *column;
    const net_weight *weights;   /* conv: (channel, tap, target channel); dense: (source, target) */
    uint32_t length;             /* identity: weights as in a net_table; else targets of a run */
    uint32_t per_group;          /* conv: source channels of a group */
    int32_t kernel[2], stride[2], padding[2], dilation[2], out[2];
    uint32_t out_channels;
    const uint32_t *indptr;      /* sparse: the synapses of each source neuron */
    const net_index *targets;
} net_projection;

/* What the image brings: conv (target channel, tap, source channel), dense or sparse by target. */
typedef struct {
    uint8_t kind;
    uint16_t target;
    const net_real *weights;
    const double *bias, *scale;
    uint32_t bias_length, scale_length;
    double most;                 /* the largest |current| that no membrane overflows with */
    uint32_t length;             /* dense: pixels; conv: source channels of a group */
    uint32_t group;              /* conv: target channels of a group */
    int32_t kernel[2], stride[2], padding[2], dilation[2], in[2];
    const uint32_t *indptr;
    const net_index *pixels;
} net_feed;

NET_DATA

/* Does not compile where the state takes other memory than the head says. */
typedef char net_memory_is_as_stated[sizeof net_state == NET_BYTES ? 1 : -1];

static net_membrane net_at(net_table table, uint32_t neuron)
{
    return table.values[table.length == 1 ? 0 : neuron % table.length];
}

static net_membrane net_current(const net_population *p, uint32_t neuron)
{
    return p->current.values ? net_at(p->current, neuron) : net_state.fed[p->fed + neuron];
}

/* The neuron's number in the order of files and traces: channels first. */
static uint32_t net_row_major(const net_population *p, uint32_t neuron)
{
    return neuron % p->channels * (p->size / p->channels) + neuron / p->channels;
}

static void net_emit(uint32_t rank, uint32_t neuron)
{
    const net_population *p = &net_populations[rank];
    net_state.spikes[p->spikes + net_state.written[rank] % p->capacity] = (net_index)neuron;
    net_state.written[rank]++;
    if (rank == NET_POPULATIONS - 1) {
        net_state.counts[neuron]++;
        if (net_state.tick > NET_START * NET_TICKS_PER_STEP)
            net_state.evidence = 1;
    }
    NET_ON_SPIKE(net_state.tick, (int)rank, (int)net_row_major(p, neuron));
}

#if NET_ASYNC

/* floor(current * tick / R) */
static net_membrane net_ramp(net_membrane current, int32_t tick)
{
    const int64_t charge = (int64_t)current * tick;
    if (charge >= 0)
        return (net_membrane)(charge / NET_TICKS_PER_STEP);
    return (net_membrane)(-((-charge + NET_TICKS_PER_STEP - 1) / NET_TICKS_PER_STEP));
}

/* The first tick, from `earliest` on, at which a neuron that nothing reaches is at theta. */
static int32_t net_crossing(net_membrane u, net_membrane theta, net_membrane current,
                            int32_t earliest)
{
    int64_t tick;
    if (earliest > NET_LAST)
        return NET_NEVER;
    if (u + net_ramp(current, earliest) >= theta)
        return earliest;
    if (current <= 0)
        return NET_NEVER;
    tick = (((int64_t)theta - u) * NET_TICKS_PER_STEP + current - 1) / current;
    return tick <= NET_LAST ? (int32_t)tick : NET_NEVER;
}

/* Fire a neuron if it is to. */
static void net_compare(uint32_t rank, uint32_t neuron, net_membrane theta, net_membrane current)
{
    const net_population *p = &net_populations[rank];
    const uint32_t number = p->first + neuron;
    const net_membrane charge = net_ramp(current, net_state.tick);
    if (net_state.allowed[number] > net_state.tick || net_state.u[number] + charge < theta)
        return;
    net_state.u[number] = p->hard_reset ? p->v_reset - charge : net_state.u[number] - theta;
    net_state.allowed[number] = net_state.tick + 1 + NET_REFRACTORY;
    net_emit(rank, neuron);
}

/* Let neurons fire whose current has brought them to theta; a block is looked at when the first
   of its neurons may be. */
static void net_ramps(uint32_t rank)
{
    const net_population *p = &net_populations[rank];
    uint32_t block, neuron, end;
    for (block = 0; block * NET_BLOCK < p->size; block++) {
        int32_t *due = &net_state.due[p->first / NET_BLOCK + block];
        if (*due > net_state.tick)
            continue;
        *due = NET_NEVER;
        end = (block + 1) * NET_BLOCK < p->size ? (block + 1) * NET_BLOCK : p->size;
        for (neuron = block * NET_BLOCK; neuron < end; neuron++) {
            const uint32_t number = p->first + neuron;
            const net_membrane theta = net_at(p->theta, neuron), current = net_current(p, neuron);
            int32_t earliest = net_state.tick + 1, crossing;
            if (net_state.tick > 0)
                net_compare(rank, neuron, theta, current);
            if (net_state.allowed[number] > earliest)
                earliest = net_state.allowed[number];
            crossing = net_crossing(net_state.u[number], theta, current, earliest);
            if (crossing < *due)
                *due = crossing;
        }
    }
}

/* Add one spike's potentials to neighbouring neurons, and let those fire that are at theta. */
static void net_reach(uint32_t rank, uint32_t start, const net_weight *weights, uint32_t count)
{
    const net_population *p = &net_populations[rank];
    uint32_t neuron;
    for (neuron = start; neuron < start + count; neuron++) {
        const uint32_t number = p->first + neuron;
        net_membrane theta, current;
        int32_t *due, earliest, by, crossing;
        net_state.u[number] += weights[neuron - start];
        if (!p->fires)
            continue;
        theta = net_at(p->theta, neuron);
        current = net_current(p, neuron);
        net_compare(rank, neuron, theta, current);
        due = &net_state.due[p->first / NET_BLOCK + neuron / NET_BLOCK];
        earliest = net_state.tick + 1;
        if (net_state.allowed[number] > earliest)
            earliest = net_state.allowed[number];
        if (*due <= earliest || earliest > NET_LAST)
            continue;
        by = current <= 0 ? earliest : *due - 1 < NET_LAST ? *due - 1 : NET_LAST;
        if (net_state.u[number] + net_ramp(current, by) < theta)
            continue;
        crossing = net_crossing(net_state.u[number], theta, current, earliest);
        if (crossing < *due)
            *due = crossing;
    }
}

#else

static void net_reach(uint32_t rank, uint32_t start, const net_weight *weights, uint32_t count)
{
    net_membrane *u = &net_state.u[net_populations[rank].first + start];
    uint32_t target;
    for (target = 0; target < count; target++)
        u[target] += weights[target];
}

/* Add a step's current to a population, and fire each neuron that is at theta. */
static void net_fire(uint32_t rank)
{
    const net_population *p = &net_populations[rank];
    net_membrane *u = &net_state.u[p->first];
    uint32_t neuron, at_theta = 0;
    for (neuron = 0; neuron < p->size; neuron++) {
        const net_membrane theta = p->theta.values[at_theta];
        u[neuron] += net_current(p, neuron);
        if (p->fires && u[neuron] >= theta) {
            u[neuron] = p->hard_reset ? p->v_reset : u[neuron] - theta;
            net_emit(rank, neuron);
        }
        if (++at_theta == p->theta.length)
            at_theta = 0;
    }
}

#endif

/* Deliver one spike to the output positions that its kernel reaches, in ascending order. */
static void net_convolve(const net_projection *j, uint32_t rank, int32_t channel, int32_t y,
                         int32_t x)
{
    const uint32_t group = (uint32_t)channel / j->per_group;
    int32_t ky, kx, down, across;
    for (ky = j->kernel[0] - 1; ky >= 0; ky--) {
        down = y + j->padding[0] - ky * j->dilation[0];
        if (down < 0 || down % j->stride[0] || down / j->stride[0] >= j->out[0])
            continue;
        for (kx = j->kernel[1] - 1; kx >= 0; kx--) {
            const int32_t tap = (channel * j->kernel[0] + ky) * j->kernel[1] + kx;
            uint32_t position;
            across = x + j->padding[1] - kx * j->dilation[1];
            if (across < 0 || across % j->stride[1] || across / j->stride[1] >= j->out[1])
                continue;
            position = (uint32_t)(down / j->stride[0] * j->out[1] + across / j->stride[1]);
            net_reach(rank, position * j->out_channels + group * j->length,
                      j->weights + (size_t)tap * j->length, j->length);
            net_state.reached = 1;
        }
    }
}

/* Deliver one spike of a source neuron. */
static void net_deliver(const net_projection *j, uint32_t rank, uint32_t neuron)
{
    const net_population *source = &net_populations[j->source];
    const uint32_t c = neuron % source->channels, position = neuron / source->channels;
    int32_t channel, y, x;
    uint32_t entry;
    if (j->kind == NET_SPARSE) {
        for (entry = j->indptr[neuron]; entry < j->indptr[neuron + 1]; entry++) {
            net_reach(rank, j->targets[entry], j->weights + entry, 1);
            net_state.reached = 1;
        }
        return;
    }
    channel = j->channel[c];
    y = j->row[position / source->width];
    x = j->column[position % source->width];
    if (channel < 0 || y < 0 || x < 0)
        return;
    if (j->kind == NET_CONV) {
        net_convolve(j, rank, channel, y, x);
        return;
    }
    net_state.reached = 1;
    entry = (uint32_t)(channel + y + x);
    if (j->kind == NET_DENSE)
        net_reach(rank, 0, j->weights + (size_t)entry * j->length, j->length);
    else
        net_reach(rank, entry, j->weights + (j->length == 1 ? 0 : neuron % j->length), 1);
}

/* Deliver the spikes that are due at a population, in the order in which they were sent. */
static void net_arrivals(uint32_t rank)
{
    const net_population *p = &net_populations[rank];
    uint32_t number;
    for (number = p->projections; number < p->end; number++) {
        const net_projection *j = &net_projections[number];
        const net_population *source = &net_populations[j->source];
        const uint32_t *begin = net_state.begin[j->source];
        const int32_t sent = net_state.tick - (int32_t)j->delay;
        uint32_t entry, end;
        if (sent < 1)
            continue;
        end = j->delay ? begin[(sent + 1) % NET_MARKS] : net_state.written[j->source];
        net_state.reached = 0;
        for (entry = begin[sent % NET_MARKS]; entry != end; entry++)
            net_deliver(j, rank, net_state.spikes[source->spikes + entry % source->capacity]);
        if (net_state.reached && rank == NET_POPULATIONS - 1 && !p->fires
            && net_state.tick > NET_START * NET_TICKS_PER_STEP)
            net_state.evidence = 1;
    }
}

static void net_tick(void)
{
    uint32_t rank;
    net_state.tick++;
    for (rank = 0; rank < NET_POPULATIONS; rank++) {
        net_state.begin[rank][net_state.tick % NET_MARKS] = net_state.written[rank];
#if NET_ASYNC
        if (net_populations[rank].fires)
            net_ramps(rank);
        net_arrivals(rank);
#else
        net_arrivals(rank);
        net_fire(rank);
#endif
    }
}

/* The nearest whole number, the even one of two; |x| < 2^53. */
static int64_t net_nearest(double x)
{
    const int64_t whole = (int64_t)x;
    const double rest = x - (double)whole;
    if (rest > 0.5 || (rest == 0.5 && whole % 2))
        return whole + 1;
    if (rest < -0.5 || (rest == -0.5 && whole % 2))
        return whole - 1;
    return whole;
}

/* A pixel as the network was trained on it, by its number in the image. */
static double net_pixel(const float *image, uint32_t number)
{
    const uint32_t channel = number / (NET_PIXELS / NET_CHANNELS);
    (void)channel; /* where all have one mean and deviation */
    return (double)NET_PREPROCESS(image[number], channel);
}

/* What the image brings a neuron in a step, in activations. */
static double net_weigh(const net_feed *f, const float *image, uint32_t neuron)
{
    const net_population *p = &net_populations[f->target];
    const uint32_t c = neuron % p->channels, position = neuron / p->channels;
    double sum = 0.0;
    uint32_t i;
    int32_t ky, kx;
    if (f->kind == NET_DENSE) {
        for (i = 0; i < f->length; i++)
            sum += (double)f->weights[(size_t)neuron * f->length + i] * net_pixel(image, i);
        return sum;
    }
    if (f->kind == NET_SPARSE) {
        for (i = f->indptr[neuron]; i < f->indptr[neuron + 1]; i++)
            sum += (double)f->weights[i] * net_pixel(image, f->pixels[i]);
        return sum;
    }
    for (ky = 0; ky < f->kernel[0]; ky++) {
        const int32_t y = (int32_t)(position / p->width) * f->stride[0] - f->padding[0]
                          + ky * f->dilation[0];
        if (y < 0 || y >= f->in[0])
            continue;
        for (kx = 0; kx < f->kernel[1]; kx++) {
            const int32_t x = (int32_t)(position % p->width) * f->stride[1] - f->padding[1]
                              + kx * f->dilation[1];
            const net_real *weights = f->weights
                + ((size_t)(c * (uint32_t)f->kernel[0] + (uint32_t)ky) * (uint32_t)f->kernel[1]
                   + (uint32_t)kx) * f->length;
            if (x < 0 || x >= f->in[1])
                continue;
            for (i = 0; i < f->length; i++) {
                const uint32_t plane = c / f->group * f->length + i;
                const int32_t pixel = ((int32_t)plane * f->in[0] + y) * f->in[1] + x;
                sum += (double)weights[i] * net_pixel(image, (uint32_t)pixel);
            }
        }
    }
    return sum;
}

/* Write what the image brings a population in a step; -1 where that could overflow. */
static int net_feed_population(const net_feed *f, const float *image)
{
    const net_population *p = &net_populations[f->target];
    uint32_t neuron;
    for (neuron = 0; neuron < p->size; neuron++) {
        const double current = f->bias[f->bias_length == 1 ? 0 : neuron % f->bias_length]
                               + net_weigh(f, image, neuron);
        const double units = current * f->scale[f->scale_length == 1 ? 0 : neuron % f->scale_length];
        if (!(units >= -f->most && units <= f->most))
            return -1;
        net_state.fed[p->fed + neuron] = (net_membrane)net_nearest(units);
    }
    return 0;
}

int net_start(const float image[NET_PIXELS])
{
    uint32_t rank, neuron, number;
    for (number = 0; number < NET_FEEDS; number++)
        if (net_feed_population(&net_feeds[number], image))
            return -1;
    net_state.tick = 0;
    net_state.evidence = 0;
    for (rank = 0; rank < NET_POPULATIONS; rank++) {
        const net_population *p = &net_populations[rank];
        net_state.written[rank] = 0;
        for (number = 0; number < NET_MARKS; number++)
            net_state.begin[rank][number] = 0;
        for (neuron = 0; neuron < p->size; neuron++)
            net_state.u[p->first + neuron] = net_at(p->v_init, neuron);
#if NET_ASYNC
        for (neuron = 0; neuron < p->size; neuron++)
            net_state.allowed[p->first + neuron] = 1;
        for (number = p->first / NET_BLOCK; number * NET_BLOCK < p->first + p->size; number++)
            net_state.due[number] = 0;
        if (p->fires)
            net_ramps(rank);
#endif
    }
    for (neuron = 0; neuron < NET_CLASSES; neuron++)
        net_state.counts[neuron] = net_state.base[neuron] = net_state.output[neuron] = 0;
    return 0;
}

int net_step(void)
{
    const net_population *p = &net_populations[NET_POPULATIONS - 1];
    int step = net_state.tick / NET_TICKS_PER_STEP, best = 0, neuron;
    if (step < NET_STEPS) {
        do
            net_tick();
        while (net_state.tick % NET_TICKS_PER_STEP);
        step++;
    }
    for (neuron = 0; neuron < NET_CLASSES; neuron++) {
        net_membrane value = net_state.u[p->first + (uint32_t)neuron];
#if NET_ASYNC
        value += net_ramp(net_current(p, (uint32_t)neuron), net_state.tick);
#endif
        if (p->fires)
            value = net_state.counts[neuron];
        if (step == NET_START)
            net_state.base[neuron] = value;
        net_state.output[neuron] = value - net_state.base[neuron];
        if (net_state.output[neuron] > net_state.output[best])
            best = neuron;
    }
    return net_state.evidence || (NET_FED_OUTPUT && step > NET_START) ? best : -1;
}

const net_membrane *net_outputs(void)
{
    return net_state.output;
}
