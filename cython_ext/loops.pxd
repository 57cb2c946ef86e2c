"""The inner loops, in C; `loops.h` says what each does."""

from thresher.cython_ext.types cimport int32_t, int64_t, uint8_t, uint64_t


cdef extern from "loops.h" nogil:
    int lowest_bit(uint64_t) noexcept
    void add_run_float(float*, const float*, float, int64_t) noexcept
    void add_run_double(double*, const double*, double, int64_t) noexcept
    uint64_t arrive_float(
        float*, const float*, const float*, const int32_t*, const int32_t*, int64_t, int64_t,
        float, int) noexcept
    uint64_t arrive_double(
        double*, const double*, const double*, const int32_t*, const int32_t*, int64_t, int64_t,
        double, int) noexcept
    int any_reached_float(const float*, const float*, int64_t) noexcept
    int any_reached_double(const double*, const double*, int64_t) noexcept
    int any_over_float(const float*, const float*, float, const float*, int64_t) noexcept
    int any_over_double(const double*, const double*, double, const double*, int64_t) noexcept
    float nearest_float(
        const float*, const float*, const float*, const float*, const int32_t*, float, int32_t,
        float, int64_t) noexcept
    double nearest_double(
        const double*, const double*, const double*, const double*, const int32_t*, double,
        int32_t, double, int64_t) noexcept
    int set_limits_float(
        float*, const float*, const float*, const float*, const int32_t*, float, float, int32_t,
        float, float, float, int64_t) noexcept
    int set_limits_double(
        double*, const double*, const double*, const double*, const int32_t*, double, double,
        int32_t, double, double, double, int64_t) noexcept
    void fire_soft_float(float*, const float*, const float*, uint8_t*, int64_t) noexcept
    void fire_soft_double(double*, const double*, const double*, uint8_t*, int64_t) noexcept
    void fire_hard_float(float*, const float*, const float*, float, uint8_t*, int64_t) noexcept
    void fire_hard_double(
        double*, const double*, const double*, double, uint8_t*, int64_t) noexcept
    void gather_float(
        float*, const float*, int32_t, int32_t, int32_t, const int32_t*, const int32_t*,
        const int32_t*, const int32_t*, const int32_t*) noexcept
    void gather_double(
        double*, const double*, int32_t, int32_t, int32_t, const int32_t*, const int32_t*,
        const int32_t*, const int32_t*, const int32_t*) noexcept
