/* ---- the run ------------------------------------------------------------------------------- */

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
        net_compare_all(rank);
#endif
    }
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
        for (neuron = 0; neuron < p->size; neuron++) {
            net_state.u[p->first + neuron] = net_at(p->v_init, neuron);
#if NET_GRADED
            net_state.n[p->first + neuron] = 0;
#endif
#if NET_ASYNC
            net_state.allowed[p->first + neuron] = 1;
            net_state.due[(p->first + neuron) / NET_BLOCK] = 1;
#endif
        }
    }
#if NET_GRADED
    for (number = 0; number < sizeof net_state.arrived / sizeof *net_state.arrived; number++)
        net_state.arrived[number] = 0;
#endif
    for (neuron = 0; neuron < NET_CLASSES; neuron++)
        net_state.counts[neuron] = net_state.base[neuron] = net_state.output[neuron] = 0;
    return 0;
}

/* Weigh what the output says after a step. */
static int net_decide(void)
{
    const net_population *p = &net_populations[NET_POPULATIONS - 1];
    const int step = net_state.tick / NET_TICKS_PER_STEP;
    int best = 0, neuron;
    for (neuron = 0; neuron < NET_CLASSES; neuron++) {
        const net_membrane value = p->fires
            ? net_state.counts[neuron] : net_potential(p, (uint32_t)neuron, net_state.tick);
        if (step == NET_START)
            net_state.base[neuron] = value;
        net_state.output[neuron] = value - net_state.base[neuron];
        if (net_state.output[neuron] > net_state.output[best])
            best = neuron;
    }
    return net_state.evidence || (NET_FED_OUTPUT && step > NET_START) ? best : -1;
}

/* Let the ticks of one step pass. */
static void net_pass(void)
{
    do
        net_tick();
    while (net_state.tick % NET_TICKS_PER_STEP);
}

int net_step(void)
{
    if (net_state.tick < NET_END)
        net_pass();
    return net_decide();
}

#if NET_SETTLE

/* Whether a spike is on its way, or a neuron is to fire although nothing comes any more. */
static int net_pending(void)
{
    uint32_t rank, neuron, number;
    for (rank = 0; rank < NET_POPULATIONS; rank++) {
        const net_population *p = &net_populations[rank];
        for (number = p->projections; number < p->end; number++) {
            const net_projection *j = &net_projections[number];
            const int32_t next = net_state.tick + 1 - (int32_t)j->delay;
            if (j->delay && net_state.begin[j->source][(next < 1 ? 1 : next) % NET_MARKS]
                            != net_state.written[j->source])
                return 1;
        }
        for (neuron = 0; neuron < p->size && p->fires; neuron++)
            if (net_payload(p, neuron, net_potential(p, neuron, net_state.tick)))
                return 1;
    }
    return 0;
}

int net_settle(void)
{
    int decision;
    do
        decision = net_step();
    while (net_state.tick < NET_END);
    while (net_pending()) {
        if (net_state.tick == NET_LAST)
            return NET_PENDING;
        net_pass();
        decision = net_decide();
    }
    return decision;
}

#endif

const net_membrane *net_outputs(void)
{
    return net_state.output;
}
