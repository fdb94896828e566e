# Where nvcc is, for CMake, which by itself looks in CUDACXX and on the PATH alone.

# The nvcc that CUDACXX names, or else the first on the PATH, under CUDA_HOME or CUDA_PATH, in /usr/local/cuda, or from the
# package nvidia-cuda-nvcc in one of the folders `site_packages`. Empty if there is none.
function(amsx_find_nvcc site_packages out)
  set(nvcc "$ENV{CUDACXX}")
  if(nvcc STREQUAL "")
    find_program(AMSX_NVCC nvcc PATHS ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
    mark_as_advanced(AMSX_NVCC)
    if(AMSX_NVCC)
      set(nvcc "${AMSX_NVCC}")
    else()
      foreach(folder IN LISTS site_packages)
        file(GLOB found "${folder}/nvidia/cu[0-9]*/bin/nvcc")
        list(APPEND nvcc ${found})
      endforeach()
      if(nvcc)
        list(SORT nvcc COMPARE NATURAL ORDER DESCENDING)
        list(GET nvcc 0 nvcc)
      endif()
    endif()
  endif()
  set(${out} "${nvcc}" PARENT_SCOPE)
endfunction()

# The folder of the runtime library that the packages from PyPI have in `lib`, while their nvcc looks for it in `lib64`.
# Empty for an nvcc that finds it.
function(amsx_cudart_beside nvcc out)
  get_filename_component(toolkit "${nvcc}" REALPATH)
  get_filename_component(toolkit "${toolkit}" DIRECTORY)
  get_filename_component(toolkit "${toolkit}" DIRECTORY)
  if(EXISTS "${toolkit}/lib/libcudart_static.a" AND NOT EXISTS "${toolkit}/lib64")
    set(${out} "${toolkit}/lib" PARENT_SCOPE)
  else()
    set(${out} "" PARENT_SCOPE)
  endif()
endfunction()
