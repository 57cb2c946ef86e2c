/* One precision of `gather.h`, which includes this file once for each. */

INLINE void OF(gather_all)(void *input, const Gather *g, int graded)
{
    const weight_t *weights = g->weights;
    const int64_t length = g->length, per_channel = g->taps * length;
    for (int32_t o = 0; o < g->outputs; o++) {
        real *target = (real *)input + o * length;
        int64_t at = 0;
        GATHER_CHUNK(OF(vector), 4)
        GATHER_CHUNK(OF(vector), 2)
        GATHER_CHUNK(OF(vector), 1)
        GATHER_CHUNK(OF(half), 1)
        GATHER_CHUNK(OF(quarter), 1)
        if (at == length)
            continue;
        for (int32_t e = g->reads[o]; e < g->reads[o + 1]; e++) {
            const weight_t *kernel = weights + g->read_tap[e] * length;
            const int32_t *from = g->begin + g->read_position[e];
            for (int32_t k = from[0]; k < from[1]; k++)
                for (int64_t i = at; i < length; i++)
                    target[i] += (real)(graded ? g->payload[k] : 1)
                        * kernel[g->channel[k] * per_channel + i];
        }
    }
}

/* Add to every target the weights of the spikes that reach it, in order of input position, then
   of emission. */
VARIANTS static void OF(gather)(void *input, const Gather *g)
{
    if (g->payload)
        OF(gather_all)(input, g, 1);
    else
        OF(gather_all)(input, g, 0);
}
