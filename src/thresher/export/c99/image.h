/* ---- the image ----------------------------------------------------------------------------- */

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
