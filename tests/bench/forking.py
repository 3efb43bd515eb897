"""What a forked process has to do before it may use torch."""

import torch


def make_thread_pool_anew():
    """Make torch's thread pool anew, before any other thread of a fork wants it.

    Torch does so at the first call of any thread; a second one that comes meanwhile
    finds none and fails with "Invalid thread pool!" (torch 2.13,
    caffe2/utils/threadpool/pthreadpool-cpp.cc), and transformers loads with several.
    """
    torch.set_num_threads(torch.get_num_threads())
