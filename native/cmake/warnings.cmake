# SPDX-License-Identifier: Apache-2.0
# Target filigree_warnings: the warnings our own code is compiled with. LibTorch's headers are SYSTEM, so silent.
add_library(filigree_warnings INTERFACE)
target_compile_options(filigree_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion>
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>)
if(FILIGREE_WERROR)
  target_compile_options(filigree_warnings INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()
