# SPDX-License-Identifier: Apache-2.0
# Compile and link everything below with the sanitizers of FILIGREE_SANITIZE.
# They run on the C and C++ tests only: AddressSanitizer and the JVM both want SIGSEGV.
if(FILIGREE_SANITIZE)
  # vptr checks need the type information of LibTorch's classes, which its libraries do not export.
  add_compile_options(-fsanitize=${FILIGREE_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FILIGREE_SANITIZE} -fno-sanitize=vptr)
endif()
