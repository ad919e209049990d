/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_library.h
 * @brief Interface between the core and libfiligree_cuda.so, which it loads when LibTorch reports a CUDA device.
 *
 * Functions that can fail return 0, or a CUDA error number whose text fgk_last_error() has. Nothing throws.
 */
#ifndef FILIGREE_KERNEL_LIBRARY_H
#define FILIGREE_KERNEL_LIBRARY_H

#include <stdint.h>

#define FGK_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/** Raised with every change of this header; the core refuses a library of another number. */
#define FGK_INTERFACE_VERSION 1

/** What kernels have to know about a device. */
typedef struct fgk_device {
    char name[256];
    int32_t compute_major;
    int32_t compute_minor;
    int32_t multiprocessors;
    int32_t driver_version;  /**< newest CUDA version the driver supports, 1000 * major + 10 * minor */
    int32_t runtime_version; /**< CUDA version of the runtime in this library, same coding */
    int32_t reserved;
    uint64_t memory;        /**< bytes */
    uint64_t shared_memory; /**< bytes per block, opt-in maximum */
    uint64_t l2_cache;      /**< bytes */
} fgk_device;

FGK_API int32_t fgk_interface_version(void);

/** Facts of the device with this CUDA index. Nothing is written on failure. */
FGK_API int32_t fgk_device_facts(int32_t index, fgk_device* out_device);

/** Text of the last failure of this thread, "" if there was none. Valid until the next call of this thread. */
FGK_API const char* fgk_last_error(void);

#ifdef __cplusplus
}
#endif

#endif /* FILIGREE_KERNEL_LIBRARY_H */
