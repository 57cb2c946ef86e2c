/* ---- tables -------------------------------------------------------------------------------- */

/* How the weights of a projection are laid out; windows are those of a max pool. */
enum { NET_CONV, NET_DENSE, NET_IDENTITY, NET_SPARSE, NET_WINDOWS };

/* How a neuron counts the units in its potential: towards minus infinity, towards zero, or by the
   largest power of two. A max pool has none; it follows the largest count of its window. */
enum { NET_DOWNWARDS, NET_TOWARDS_ZERO, NET_POWERS, NET_POOL };

/* One value for all neurons (length 1), one a channel, or one a neuron: neuron i has
   values[i % length]. */
typedef struct {
    const net_membrane *values;
    uint32_t length;
} net_table;

/* Neurons are numbered channels last: ((y * width) + x) * channels + channel. With potential v and
   n units sent so far, less those taken back, one fires where v >= above and n < most, and, to
   take back, where v < below and n > least. A unit takes theta off v, one taken back gives down. */
typedef struct {
    uint32_t first;              /* its first neuron among those of all populations */
    uint32_t size, channels, width;
    net_table above, theta, v_init, current; /* current.values 0: made of the image, at `fed` */
    uint32_t fed;
    uint32_t spikes, capacity;   /* its part of the list of spikes */
    uint32_t projections, end;   /* those that reach it */
    uint8_t fires, hard_reset, rule;
    net_membrane v_reset;
    net_table below, down;       /* all that follows only where NET_GRADED */
    int32_t cap, least, most;    /* a spike has at most cap units */
    uint32_t arrived;            /* max pool: its counts of what can be in a window */
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
    int32_t kernel[2], stride[2], padding[2], dilation[2], in[2], out[2];
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
