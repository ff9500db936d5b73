// Which banks of the activation buffer are taken in which cycle.

#ifndef SHIFTLOOM_CYCLE_ACTIVATION_BUFFER_H
#define SHIFTLOOM_CYCLE_ACTIVATION_BUFFER_H

#include <deque>
#include <memory>

#include "basics.h"

namespace shiftloom {

// Banks taken in each cycle, one bit each.
class Taken {
  public:
    void reach(Time last) {
        if (static_cast<Time>(banks_.size()) <= last) banks_.resize(last + 4096);
    }

    uint8_t& operator[](Time time) { return banks_[time]; }

  private:
    std::vector<uint8_t> banks_;
};

// Accesses of one job that are written down when somebody asks.
struct Uses {
    virtual ~Uses() = default;
    // First cycle of what is not written down yet, and a cycle after which nothing follows.
    virtual Time begin() = 0;
    virtual Time end() = 0;
    virtual void write(Taken& taken) = 0;
};

class Timeline {
  public:
    void expect(std::shared_ptr<Uses> uses) { waiting_.push_back(std::move(uses)); }

    // Leave out what lies before a cycle that nobody looks behind.
    void forget(Time time) {
        while (!waiting_.empty() && waiting_.front()->end() < time) waiting_.pop_front();
    }

    // Return the banks taken in each cycle up to one, at least.
    Taken& upto(Time time) {
        while (!waiting_.empty()) {
            Uses& uses = *waiting_.front();
            if (uses.begin() <= time) uses.write(taken_);
            if (uses.begin() <= uses.end()) break;
            waiting_.pop_front();
        }
        taken_.reach(time);
        return taken_;
    }

  private:
    Taken taken_;
    std::deque<std::shared_ptr<Uses>> waiting_;
};

struct ActivationBuffer {
    Timeline reads, writes;
};

}  // namespace shiftloom

#endif
