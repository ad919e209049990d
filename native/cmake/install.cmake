# SPDX-License-Identifier: Apache-2.0
# cmake --install build/native --prefix DIR: the library, the CUDA kernels beside it, and the header.
include(GNUInstallDirs)
install(TARGETS filigree LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET filigree_cuda)
  install(TARGETS filigree_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(FILES include/filigree/filigree.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/filigree)
