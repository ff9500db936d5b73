// Who may ask memory for a burst, and when its beats come.

#ifndef SHIFTLOOM_CYCLE_READ_ARBITER_H
#define SHIFTLOOM_CYCLE_READ_ARBITER_H

#include "fetch.h"
#include "load.h"
#include "vector.h"

namespace shiftloom {

// Read requests on their way to memory, through a register stage that holds two.
class Requests {
  public:
    explicit Requests(const Memory& memory) : memory_(memory) {}

    Time room() const {
        if (issued_.size() < 2) return 0;
        const size_t before = issued_.size() - 2;
        return before < taken_.size() ? taken_[before] + 1 : NEVER;
    }

    void issue(Time time) {
        issued_.push_back(time);
        take();
    }

    // When the answer to a request may begin.
    Time due(size_t number) const {
        return number < taken_.size() ? taken_[number] + memory_.latency : NEVER;
    }

    // Note in which cycle the last beat of an answer comes; again if that was known before.
    void answer(size_t number, Time time) {
        if (number != answered_.size()) return;
        answered_.push_back(time);
        take();
    }

  private:
    void take() {
        while (taken_.size() < issued_.size()) {
            const int64_t number = taken_.size(), full = number - memory_.outstanding;
            Time time = issued_[number] + REGISTER;
            if (number) time = std::max(time, taken_.back() + 1);
            if (full >= static_cast<int64_t>(answered_.size())) return;
            if (full >= 0) time = std::max(time, answered_[full] + 1);
            taken_.push_back(time);
        }
    }

    const Memory& memory_;
    std::vector<Time> taken_, answered_, issued_;
};

// Shares the read channels between Fetch and Load.
class ReadArbiter {
  public:
    ReadArbiter(Agenda& agenda, const Memory& memory, Fetch& fetch, Load& load, Vector& vector,
                std::function<void()> changed)
        : agenda_(agenda), fetch_(fetch), load_(load), vector_(vector),
          changed_(std::move(changed)), requests_(memory), interval_(memory.interval),
          came_(-memory.interval) {
        issue_alarm_.callback = [this](Time now) { issue(now); };
        beat_alarm_.callback = [this](Time now) { look(now); };
    }

    // Look again when somebody may ask.
    void plan() {
        const Time offered = std::min(fetch_.time, load_.bursts.time);
        if (offered == NEVER) return;
        const Time open = room();
        if (open < NEVER) agenda_.at(issue_alarm_, std::max(open, offered));
    }

    int64_t fetched = 0, loaded = 0;
    // Of each burst that came: the cycle of its last beat, and its beats.
    std::vector<Time> fetches, loads;

  private:
    // A burst whose words may wait is looked at so long before its end.
    static constexpr Time EARLY = 4;

    // Beats that a register stage holds.
    static constexpr int HELD = 2;

    struct Burst {
        size_t number;
        bool fetches;
        int64_t size, beats;
    };

    Time room() const {
        const Time owners = owners_.room(), requests = requests_.room();
        if (owners == NEVER || requests == NEVER) return NEVER;
        return std::max({owners, requests, issued_ + 1});
    }

    void issue(Time now) {
        if (room() <= now) {
            if (fetch_.time <= now) {
                accept(now, true, fetch_.beats());
                fetch_.issue(now);
            } else if (load_.bursts.time <= now) {
                accept(now, false, load_.bursts.beats);
                load_.take(now);
            }
        }
        if (bursts_.size() == 1) receive(now);
        plan();
        changed_();
    }

    void accept(Time now, bool fetches, int64_t beats) {
        issued_ = now;
        owners_.writes.push_back(now);
        requests_.issue(now);
        bursts_.push_back({owners_.writes.size() - 1, fetches, beats, beats});
        (fetches ? fetched : loaded) += beats;
    }

    void look(Time now) {
        receive(now);
        plan();
        changed_();
    }

    // Take the beats of bursts in order, as far as their times are known.
    void receive(Time now) {
        settle(now);
        while (!bursts_.empty()) {
            Burst& burst = bursts_.front();
            const Time come = std::max(requests_.due(burst.number), came_ + interval_);
            if (!take(burst, come, now)) {
                foresee();
                agenda_.at(beat_alarm_, std::max(now + 1, come + burst.beats - EARLY));
                break;
            }
            requests_.answer(burst.number, came_);
            auto& list = burst.fetches ? fetches : loads;
            list.push_back(came_), list.push_back(burst.size);
            owners_.pops.push_back(taken_);
            bursts_.pop_front();
        }
        settle(now);
    }

    // Note which answers end with a beat that has come, or will, and is not taken yet.
    void foresee() {
        Time come = came_, before = taken_before_;
        int beats = 0;
        for (const Burst& burst : bursts_) {
            const Time due = requests_.due(burst.number);
            if (due == NEVER) return;
            for (int64_t left = burst.beats; left; --left) {
                come = std::max({due, come + interval_, before + 1});
                before = taken_;
                if (left == 1) requests_.answer(burst.number, come);
                if (++beats == HELD) return;
            }
        }
    }

    // Let LOAD write the word that it has, or come again when it may.
    void settle(Time now) {
        if (load_.owed < 0) return;
        vector_.advance(now);
        if (load_.settle(now + vector_.writes_ahead())) return;
        agenda_.at(beat_alarm_, std::max(now + 1, load_.owed - EARLY));
    }

    // Take a burst whose beats may come from a cycle on; return whether all are taken.
    bool take(Burst& burst, Time come, Time now) {
        const Time known = now + vector_.writes_ahead();
        if (!burst.fetches && load_.waits()) {
            if (load_.owed >= 0 || come + REGISTER + burst.beats > known) return false;
            vector_.advance(now);
        }
        if (interval_ > 1 || taken_ > come) return take_beats(burst, come, known);
        if (burst.fetches) {
            fetch_.arrive(come + REGISTER, burst.beats);
        } else if (!load_.take_all(come + REGISTER, burst.beats)) {
            return take_beats(burst, come, known);
        }
        came_ = come + burst.beats - 1;
        const Time before = taken_;
        taken_ = came_ + REGISTER;
        taken_before_ = burst.beats > 1 ? taken_ - 1 : before;
        return true;
    }

    // Take beats one after the other, as far as known; return whether all are taken.
    bool take_beats(Burst& burst, Time come, Time known) {
        for (; burst.beats; --burst.beats) {
            come = std::max(come, taken_before_ + 1);
            const Time offered = std::max(come, taken_) + REGISTER;
            Time taken = offered;
            if (burst.fetches) {
                fetch_.arrive(offered, 1);
            } else {
                taken = load_.take_beat(offered, known);
            }
            if (taken == NEVER) return false;
            came_ = come, taken_before_ = taken_, taken_ = taken;
            come += interval_;
        }
        return true;
    }

    Agenda& agenda_;
    Fetch& fetch_;
    Load& load_;
    Vector& vector_;
    std::function<void()> changed_;
    Agenda::Alarm issue_alarm_, beat_alarm_;
    StreamQueue owners_{OUTSTANDING};
    Requests requests_;
    const Time interval_;
    std::deque<Burst> bursts_;
    Time issued_ = -1, came_, taken_ = -1, taken_before_ = -1;
};

}  // namespace shiftloom

#endif
