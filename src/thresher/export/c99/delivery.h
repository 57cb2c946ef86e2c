/* ---- delivery ------------------------------------------------------------------------------ */

#if NET_GRADED

#define NET_SENT(place) net_state.payloads[place]

/* The largest count in a window of a max pool. */
static net_membrane net_largest(const net_population *p, uint32_t window)
{
    const net_projection *j = &net_projections[p->projections]; /* all have the same windows */
    const uint32_t c = window % p->channels, position = window / p->channels;
    int32_t largest = 0, ky, kx;
    for (ky = 0; ky < j->kernel[0]; ky++) {
        const int32_t y = (int32_t)(position / p->width) * j->stride[0] - j->padding[0]
                          + ky * j->dilation[0];
        if (y < 0 || y >= j->in[0])
            continue;
        for (kx = 0; kx < j->kernel[1]; kx++) {
            const int32_t x = (int32_t)(position % p->width) * j->stride[1] - j->padding[1]
                              + kx * j->dilation[1];
            int32_t count;
            if (x < 0 || x >= j->in[1])
                continue;
            count = net_state.arrived[p->arrived + (uint32_t)(y * j->in[1] + x) * p->channels + c];
            if (count > largest)
                largest = count;
        }
    }
    return largest;
}

#else

#define NET_SENT(place) 1

#endif

/* Add what a spike brings to neighbouring neurons; in the event-driven schedule those fire that
   are to. */
static void net_reach(uint32_t rank, uint32_t start, const net_weight *weights, uint32_t count,
                      int32_t payload)
{
    const net_population *p = &net_populations[rank];
    net_membrane *u = &net_state.u[p->first + start];
    uint32_t i;
    net_state.reached = 1;
#if NET_GRADED
    if (p->rule == NET_POOL)
        *u = net_largest(p, start);
    else
#endif
        for (i = 0; i < count; i++)
            u[i] += payload * weights[i];
#if NET_ASYNC
    for (i = 0; i < count && p->fires; i++)
        net_compare(rank, start + i);
#endif
}

/* Deliver one spike to the output positions that its kernel reaches, in ascending order. */
static void net_convolve(const net_projection *j, uint32_t rank, int32_t channel, int32_t y,
                         int32_t x, int32_t payload)
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
                      j->weights + (size_t)tap * j->length, j->length, payload);
        }
    }
}

/* Deliver one spike of a source neuron. */
static void net_deliver(const net_projection *j, uint32_t rank, uint32_t neuron, int32_t payload)
{
    const net_population *source = &net_populations[j->source];
    const uint32_t c = neuron % source->channels, position = neuron / source->channels;
    int32_t channel, y, x;
    uint32_t entry;
    if (j->kind == NET_SPARSE) {
        for (entry = j->indptr[neuron]; entry < j->indptr[neuron + 1]; entry++)
            net_reach(rank, j->targets[entry], j->weights + entry, 1, payload);
        return;
    }
    channel = j->channel[c];
    y = j->row[position / source->width];
    x = j->column[position % source->width];
    if (channel < 0 || y < 0 || x < 0)
        return;
#if NET_GRADED
    if (j->kind == NET_WINDOWS)
        net_state.arrived[net_populations[rank].arrived
                          + (uint32_t)((y * j->in[1] + x) * (int32_t)j->out_channels + channel)]
            += payload;
#endif
    if (j->kind == NET_CONV || j->kind == NET_WINDOWS) {
        net_convolve(j, rank, channel, y, x, payload);
        return;
    }
    entry = (uint32_t)(channel + y + x);
    if (j->kind == NET_DENSE)
        net_reach(rank, 0, j->weights + (size_t)entry * j->length, j->length, payload);
    else
        net_reach(rank, entry, j->weights + (j->length == 1 ? 0 : neuron % j->length), 1,
                  payload);
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
        for (entry = begin[sent % NET_MARKS]; entry != end; entry++) {
            const uint32_t place = source->spikes + entry % source->capacity;
            net_deliver(j, rank, net_state.spikes[place], NET_SENT(place));
        }
        if (net_state.reached && rank == NET_POPULATIONS - 1 && !p->fires
            && net_state.tick > NET_START * NET_TICKS_PER_STEP)
            net_state.evidence = 1;
    }
}
