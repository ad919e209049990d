# SPDX-License-Identifier: Apache-2.0
# Target filigree::libtorch: headers and libraries of LibTorch 2.11 to 2.13, CPU or CUDA. Looked for in this order:
#   1. FILIGREE_LIBTORCH (CMake or environment variable), then CMAKE_PREFIX_PATH (both too)
#   2. the torch package of the python3 on PATH
#   3. the pinned wheel, fetched with pip into a cache folder outside the tree
# TorchConfig.cmake is not used: it asks for the whole toolchain that LibTorch was built with (CUDA toolkit, MKL).
set(FILIGREE_LIBTORCH "" CACHE PATH "Folder of LibTorch (with include/ and lib/); empty to find or fetch one")
set(filigree_libtorch_pinned 2.13.0)
set(filigree_libtorch_oldest 2.11)
set(filigree_libtorch_newest 2.13)

# Version of the LibTorch in a folder; empty when there is none.
function(filigree_libtorch_version folder out_version)
  set(version "")
  set(header "${folder}/include/torch/headeronly/version.h")
  if(EXISTS "${header}" AND EXISTS "${folder}/lib/libtorch_cpu.so")
    file(STRINGS "${header}" lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
    list(TRANSFORM lines REPLACE "[^0-9]" "")
    list(JOIN lines "." version)
  elseif(EXISTS "${folder}/lib/libtorch_cpu.so" AND EXISTS "${folder}/include/ATen")
    set(version "2.10 or older") # the header above came with 2.9, but what has none is certainly too old
  endif()
  set(${out_version} "${version}" PARENT_SCOPE)
endfunction()

function(filigree_libtorch_fits version out_fits)
  set(fits FALSE)
  if(version MATCHES "^[0-9]+\\.[0-9]+")
    if(CMAKE_MATCH_0 VERSION_GREATER_EQUAL filigree_libtorch_oldest
       AND CMAKE_MATCH_0 VERSION_LESS_EQUAL filigree_libtorch_newest)
      set(fits TRUE)
    endif()
  endif()
  set(${out_fits} ${fits} PARENT_SCOPE)
endfunction()

# A folder that the user named. It must hold a LibTorch that fits: nothing else is taken behind their back.
function(filigree_libtorch_explicit out_folder)
  set(found "")
  foreach(named IN ITEMS "${FILIGREE_LIBTORCH}" "$ENV{FILIGREE_LIBTORCH}")
    if(named AND NOT found)
      filigree_libtorch_version("${named}" version)
      if(NOT version)
        message(FATAL_ERROR "FILIGREE_LIBTORCH is ${named}, and there is no LibTorch in it (lib/libtorch_cpu.so and "
                            "include/ATen were looked for). For a Python package it is the folder site-packages/torch.")
      endif()
      set(found "${named}")
    endif()
  endforeach()
  if(NOT found)
    string(REPLACE ":" ";" from_environment "$ENV{CMAKE_PREFIX_PATH}")
    foreach(prefix IN LISTS CMAKE_PREFIX_PATH from_environment)
      # torch.utils.cmake_prefix_path is <torch>/share/cmake
      foreach(candidate IN ITEMS "${prefix}" "${prefix}/../.." "${prefix}/torch" "${prefix}/libtorch")
        filigree_libtorch_version("${candidate}" version)
        if(version AND NOT found)
          get_filename_component(found "${candidate}" ABSOLUTE)
        endif()
      endforeach()
    endforeach()
  endif()
  if(found)
    filigree_libtorch_version("${found}" version)
    filigree_libtorch_fits("${version}" fits)
    if(NOT fits)
      message(FATAL_ERROR "LibTorch ${version} in ${found} does not fit: Filigree needs ${filigree_libtorch_oldest} to "
                          "${filigree_libtorch_newest}. Name another folder with -DFILIGREE_LIBTORCH=..., or leave it "
                          "out and Filigree fetches ${filigree_libtorch_pinned}.")
    endif()
  endif()
  set(${out_folder} "${found}" PARENT_SCOPE)
endfunction()

function(filigree_libtorch_of_python out_folder)
  set(found "")
  execute_process(
    COMMAND python3 -c "import importlib.util as u; s = u.find_spec('torch'); print(list(s.submodule_search_locations)[0] if s else '')"
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(folder AND NOT failed)
    filigree_libtorch_version("${folder}" version)
    filigree_libtorch_fits("${version}" fits)
    if(fits)
      set(found "${folder}")
    else()
      message(STATUS "Not using the torch of python3 in ${folder}: it is ${version}, and Filigree needs "
                     "${filigree_libtorch_oldest} to ${filigree_libtorch_newest}")
    endif()
  endif()
  set(${out_folder} "${found}" PARENT_SCOPE)
endfunction()

function(filigree_libtorch_fetch out_folder)
  if(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
    set(cache "$ENV{XDG_CACHE_HOME}")
  else()
    set(cache "$ENV{HOME}/.cache")
  endif()
  set(root "${cache}/filigree/libtorch-${filigree_libtorch_pinned}")
  if(NOT EXISTS "${root}/torch")
    find_program(python3_program python3 NO_CACHE)
    if(NOT python3_program)
      message(FATAL_ERROR "There is no python3 on PATH, and it is what fetches LibTorch. Install python3 and pip, or name a "
                          "LibTorch that is already here with -DFILIGREE_LIBTORCH=<folder>.")
    endif()
    message(STATUS "Fetching LibTorch ${filigree_libtorch_pinned} with pip into ${root} (once; 0.2 GB and more)")
    execute_process(
      COMMAND "${python3_program}" "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/fetch_libtorch.py" ${filigree_libtorch_pinned} "${root}"
      RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "LibTorch ${filigree_libtorch_pinned} could not be fetched: the lines above say why. Either "
                          "make `python3 -m pip download torch==${filigree_libtorch_pinned}` work on this machine, or "
                          "name a LibTorch ${filigree_libtorch_oldest} to ${filigree_libtorch_newest} that is already "
                          "here with -DFILIGREE_LIBTORCH=<folder> (or the environment variable of that name).")
    endif()
  endif()
  set(${out_folder} "${root}/torch" PARENT_SCOPE)
endfunction()

filigree_libtorch_explicit(filigree_libtorch_folder)
set(filigree_libtorch_from "named explicitly")
if(NOT filigree_libtorch_folder)
  filigree_libtorch_of_python(filigree_libtorch_folder)
  set(filigree_libtorch_from "torch of python3")
endif()
if(NOT filigree_libtorch_folder)
  filigree_libtorch_fetch(filigree_libtorch_folder)
  set(filigree_libtorch_from "fetched")
endif()
filigree_libtorch_version("${filigree_libtorch_folder}" filigree_libtorch_found_version)
if(EXISTS "${filigree_libtorch_folder}/lib/libtorch_cuda.so")
  set(filigree_libtorch_build "CUDA")
else()
  set(filigree_libtorch_build "CPU")
endif()
message(STATUS "LibTorch ${filigree_libtorch_found_version} (${filigree_libtorch_build} build, ${filigree_libtorch_from}): "
               "${filigree_libtorch_folder}")

add_library(filigree_libtorch INTERFACE)
add_library(filigree::libtorch ALIAS filigree_libtorch)
target_include_directories(filigree_libtorch SYSTEM INTERFACE
  "${filigree_libtorch_folder}/include" "${filigree_libtorch_folder}/include/torch/csrc/api/include")
# at::parallel_for is sequential in files that are compiled without OpenMP. Only the compiler gets -fopenmp: the
# runtime to link is the one LibTorch brings, since two of them in a process mean two thread pools.
target_compile_options(filigree_libtorch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
file(GLOB filigree_libtorch_openmp
  "${filigree_libtorch_folder}/lib/libgomp*.so*" "${filigree_libtorch_folder}/../torch.libs/libgomp*.so*")
if(NOT filigree_libtorch_openmp)
  set(filigree_libtorch_openmp gomp)
endif()
target_link_libraries(filigree_libtorch INTERFACE
  "${filigree_libtorch_folder}/lib/libtorch_cpu.so" "${filigree_libtorch_folder}/lib/libc10.so"
  ${filigree_libtorch_openmp})
if(filigree_libtorch_build STREQUAL "CUDA")
  # Nothing refers to these by symbol; unless they are kept, CUDA reads as not available.
  target_link_options(filigree_libtorch INTERFACE
    "LINKER:--push-state,--no-as-needed"
    "${filigree_libtorch_folder}/lib/libtorch_cuda.so" "${filigree_libtorch_folder}/lib/libc10_cuda.so"
    "LINKER:--pop-state")
endif()

# Where the loader finds LibTorch and, for a CUDA build, NVIDIA's packages beside it (site-packages/nvidia).
set(filigree_libtorch_rpath "${filigree_libtorch_folder}/lib")
file(GLOB filigree_libtorch_nvidia "${filigree_libtorch_folder}/../nvidia/*/lib")
list(APPEND filigree_libtorch_rpath ${filigree_libtorch_nvidia})
foreach(folder IN LISTS filigree_libtorch_nvidia)
  target_link_options(filigree_libtorch INTERFACE "LINKER:-rpath-link,${folder}")
endforeach()

# The layout of std::string in LibTorch's interface: every supported wheel uses the new one, but say so if not.
set(filigree_libtorch_config "${filigree_libtorch_folder}/share/cmake/Torch/TorchConfig.cmake")
if(EXISTS "${filigree_libtorch_config}")
  file(STRINGS "${filigree_libtorch_config}" filigree_libtorch_abi REGEX "_GLIBCXX_USE_CXX11_ABI=[01]")
  if(filigree_libtorch_abi MATCHES "_GLIBCXX_USE_CXX11_ABI=([01])")
    target_compile_definitions(filigree_libtorch INTERFACE _GLIBCXX_USE_CXX11_ABI=${CMAKE_MATCH_1})
  endif()
endif()
