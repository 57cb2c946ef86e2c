/* Include the file BODY once for each precision: NAME, the type of membranes and of weights. */

#define NAME float32
#define real float
#define weight_t float
#include BODY
#undef NAME
#undef real
#undef weight_t

#define NAME float64
#define real double
#define weight_t double
#include BODY
#undef NAME
#undef real
#undef weight_t

#define NAME int32
#define real int32_t
#define weight_t int16_t
#include BODY
#undef NAME
#undef real
#undef weight_t

#define NAME int64
#define real int64_t
#define weight_t int16_t
#include BODY
#undef NAME
#undef real
#undef weight_t
