# SPDX-License-Identifier: Apache-2.0
# Enables CUDA where nvcc is: FILIGREE_NVCC says whether. Included where all targets that need it see the language.
set(FILIGREE_NVCC OFF)
if(FILIGREE_CUDA STREQUAL "OFF")
  return()
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(FILIGREE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "FILIGREE_CUDA is ON and nvcc was not found. Put nvcc on PATH, or set CMAKE_CUDA_COMPILER.")
  endif()
  message(STATUS "CUDA kernels: not built, nvcc was not found")
  return()
endif()

if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90a-real 90-virtual) # A100 and its family, H100/H200, PTX for what is newer
endif()
set(CMAKE_CUDA_HOST_COMPILER "${CMAKE_CXX_COMPILER}")
enable_language(CUDA)
message(STATUS "CUDA kernels: nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
set(FILIGREE_NVCC ON)
