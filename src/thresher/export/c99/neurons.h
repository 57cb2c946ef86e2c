/* ---- neurons ------------------------------------------------------------------------------- */

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

#if NET_ASYNC

/* What a current has brought by a tick: floor(current * tick / R), until the image ends. */
static net_membrane net_ramp(net_membrane current, int32_t tick)
{
    const int64_t charge = (int64_t)current * (tick < NET_END ? tick : NET_END);
    if (charge >= 0)
        return (net_membrane)(charge / NET_TICKS_PER_STEP);
    return (net_membrane)(-((-charge + NET_TICKS_PER_STEP - 1) / NET_TICKS_PER_STEP));
}

/* A neuron's potential at a tick if nothing reaches it until then. */
static net_membrane net_potential(const net_population *p, uint32_t neuron, int32_t tick)
{
    return net_state.u[p->first + neuron] + net_ramp(net_current(p, neuron), tick);
}

#else

static net_membrane net_potential(const net_population *p, uint32_t neuron, int32_t tick)
{
    (void)tick;
    return net_state.u[p->first + neuron];
}

#endif

#if NET_GRADED

/* The units that a neuron sends of |v|: at least 1, at most the cap and what its net count has
   room for. */
static int32_t net_units(const net_population *p, net_membrane v, net_membrane unit,
                         net_membrane above, int away, int64_t room)
{
    int32_t size = 1;
    net_membrane times;
    if (room > p->cap)
        room = p->cap;
    if (p->rule == NET_POWERS) {
        while (2 * size <= room && v >= above * (2 * size))
            size *= 2;
        return size;
    }
    times = v / unit + (away && v % unit);
    return times >= room ? (int32_t)room : times < 1 ? 1 : (int32_t)times;
}

/* What a neuron sends at potential v; 0: it does not fire. */
static int32_t net_payload(const net_population *p, uint32_t neuron, net_membrane v)
{
    const int64_t n = net_state.n[p->first + neuron];
    net_membrane above;
    if (p->rule == NET_POOL)
        return (int32_t)(v - n);
    above = net_at(p->above, neuron);
    if (v >= above && n < p->most)
        return net_units(p, v, net_at(p->theta, neuron), above, 0, p->most - n);
    if (v < net_at(p->below, neuron) && n > p->least)
        return -net_units(p, -v, net_at(p->down, neuron), above, p->rule == NET_DOWNWARDS,
                          n - p->least);
    return 0;
}

#else

/* Whether a neuron fires at potential v. */
static int32_t net_payload(const net_population *p, uint32_t neuron, net_membrane v)
{
    return v >= net_at(p->above, neuron);
}

#endif

/* Reset a neuron and send its spike. */
static void net_fire(uint32_t rank, uint32_t neuron, int32_t payload)
{
    const net_population *p = &net_populations[rank];
    net_membrane *u = &net_state.u[p->first + neuron];
    const uint32_t place = p->spikes + net_state.written[rank]++ % p->capacity;
    net_state.spikes[place] = (net_index)neuron;
#if NET_GRADED
    net_state.payloads[place] = (int8_t)payload;
    net_state.n[p->first + neuron] += payload;
#endif
    if (p->hard_reset)
        *u += p->v_reset - net_potential(p, neuron, net_state.tick);
    else
        *u -= payload * net_at(payload < 0 ? p->down : p->theta, neuron);
    if (rank == NET_POPULATIONS - 1) {
        net_state.counts[neuron] += payload;
        if (net_state.tick > NET_START * NET_TICKS_PER_STEP)
            net_state.evidence = 1;
    }
    NET_ON_SPIKE(net_state.tick, (int)rank, (int)net_row_major(p, neuron), (int)payload);
}

#if NET_ASYNC

/* The first tick, from `earliest` to `latest`, at which a neuron that nothing reaches fires. */
static int32_t net_crossing(const net_population *p, uint32_t neuron, int32_t earliest,
                            int32_t latest)
{
    const net_membrane current = net_current(p, neuron), u = net_state.u[p->first + neuron];
    if (latest > NET_END)
        latest = NET_END;
    if (net_payload(p, neuron, u + net_ramp(current, earliest)))
        return earliest;
    if (current == 0 || latest <= earliest)
        return NET_NEVER;
    if (!net_payload(p, neuron, u + net_ramp(current, latest)))
        return NET_NEVER;
#if NET_GRADED
    if (current < 0)
        return (int32_t)(((int64_t)u - net_at(p->below, neuron)) * NET_TICKS_PER_STEP / -current)
               + 1;
#endif
    return (int32_t)((((int64_t)net_at(p->above, neuron) - u) * NET_TICKS_PER_STEP + current - 1)
                     / current);
}

/* Fire a neuron if it is to, and note when it may be next. */
static void net_compare(uint32_t rank, uint32_t neuron)
{
    const net_population *p = &net_populations[rank];
    int32_t *due = &net_state.due[p->first / NET_BLOCK + neuron / NET_BLOCK];
    int32_t *allowed = &net_state.allowed[p->first + neuron];
    int32_t payload = 0, earliest = net_state.tick + 1, crossing;
    if (*allowed <= net_state.tick)
        payload = net_payload(p, neuron, net_potential(p, neuron, net_state.tick));
    if (payload) {
        net_fire(rank, neuron, payload);
        if (p->rule != NET_POOL)
            *allowed = net_state.tick + 1 + NET_REFRACTORY;
    }
    if (*allowed > earliest)
        earliest = *allowed;
    if (*due <= earliest)
        return;
    crossing = net_crossing(p, neuron, earliest, *due - 1);
    if (crossing < *due)
        *due = crossing;
}

/* Let neurons fire whose current has brought them there; a block is looked at when the first of
   its neurons may be. */
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
        for (neuron = block * NET_BLOCK; neuron < end; neuron++)
            net_compare(rank, neuron);
    }
}

#else

/* Add a step's current to a population, and fire each neuron that is to. */
static void net_compare_all(uint32_t rank)
{
    const net_population *p = &net_populations[rank];
    net_membrane *u = &net_state.u[p->first];
    uint32_t neuron;
    for (neuron = 0; neuron < p->size; neuron++) {
        int32_t payload;
        if (net_state.tick <= NET_END)
            u[neuron] += net_current(p, neuron);
        payload = p->fires ? net_payload(p, neuron, u[neuron]) : 0;
        if (payload)
            net_fire(rank, neuron, payload);
    }
}

#endif
